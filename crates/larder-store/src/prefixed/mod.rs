mod bus;
mod leases;
mod programs;
mod scan;
mod waits;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use bus::PrefixedBus;
use leases::PrefixedLeases;
use programs::PrefixedPrograms;
use scan::PrefixedScan;
use waits::PrefixedWaits;

use crate::bus::Bus;
use crate::lease::Leases;
use crate::program::Programs;
use crate::scan::Scan;
use crate::wait::Waits;
use crate::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Namespace, Put, PutOutcome, Result, Store,
    Ttl,
};

/// Puts all keys of a store into a [`Namespace`], so that apps can share a server.
///
/// It costs one copy of the key for each operation, and no round trip. Caps of pinned kinds are
/// those of the inner store, shared with its other users.
#[derive(Clone)]
pub struct Prefixed<S: ?Sized> {
    namespace: Namespace,
    inner: Arc<S>,
}

impl<S: ?Sized> Prefixed<S> {
    /// Puts the keys of `inner` into `namespace`.
    pub fn new(namespace: Namespace, inner: Arc<S>) -> Self {
        Self { namespace, inner }
    }

    fn key(&self, key: &Key) -> Key {
        key.within(&self.namespace)
    }

    fn put_of(&self, put: &Put) -> Put {
        put.clone().at(self.key(put.key()))
    }

    fn delete_of(&self, delete: &Delete) -> Delete {
        Delete::new(self.key(delete.key())).on(delete.condition())
    }
}

impl<S: ?Sized> fmt::Debug for Prefixed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefixed")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Prefixed<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.inner.get(&self.key(key)).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.inner.put(&self.put_of(put)).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.inner.delete(&self.delete_of(delete)).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.inner.expire(&self.key(key), ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(&self.key(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        self.inner.get_many(&keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let puts: Vec<_> = puts.iter().map(|put| self.put_of(put)).collect();
        self.inner.put_many(&puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let deletes: Vec<_> = deletes
            .iter()
            .map(|delete| self.delete_of(delete))
            .collect();
        self.inner.delete_many(&deletes).await
    }

    fn location(&self) -> &str {
        self.inner.location()
    }

    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        self.inner.get_now(&self.key(key))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        self.inner.put_now(&self.put_of(put))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        self.inner.delete_now(&self.delete_of(delete))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        let inner = self.inner.clone().programs()?;
        Some(Arc::new(PrefixedPrograms {
            namespace: self.namespace.clone(),
            inner,
        }))
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        let inner = self.inner.clone().waits()?;
        Some(Arc::new(PrefixedWaits {
            namespace: self.namespace.clone(),
            inner,
        }))
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        let inner = self.inner.clone().leases()?;
        Some(Arc::new(PrefixedLeases {
            namespace: self.namespace.clone(),
            inner,
        }))
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        let inner = self.inner.clone().bus()?;
        Some(Arc::new(PrefixedBus {
            namespace: self.namespace.clone(),
            inner,
        }))
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        let inner = self.inner.clone().scan()?;
        Some(Arc::new(PrefixedScan {
            namespace: self.namespace.clone(),
            inner,
        }))
    }
}
