//! Points that a test lets others pass.

use std::sync::Arc;

use async_trait::async_trait;
use larder_store::{Delete, Entry, Key, Put, Result, Store, Ttl};
use tokio::sync::Semaphore;

/// A point that tasks stop at until the test lets them on. Open until it is closed.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    arrived: Semaphore,
    open: Semaphore,
}

const MANY: usize = 1_000_000;

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Inner {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        }))
    }

    /// Says that a task is here, and waits.
    pub(crate) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        self.0.open.acquire().await.unwrap().forget();
    }

    /// Waits until one more task is here.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.acquire().await.unwrap().forget();
    }

    /// Lets everyone on from now on.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(MANY);
    }

    pub(crate) fn close(&self) {
        self.0.open.forget_permits(MANY);
        self.0.arrived.forget_permits(MANY);
    }
}

/// A store whose writes wait at a gate, and then happen.
pub(crate) struct Gated {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) gate: Gate,
}

#[async_trait]
impl Store for Gated {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.inner.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<bool> {
        self.gate.pass().await;
        self.inner.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<bool> {
        self.inner.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.inner.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.inner.get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<bool>> {
        self.inner.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<bool>> {
        self.inner.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}
