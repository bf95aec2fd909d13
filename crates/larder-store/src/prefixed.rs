use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::{Call, Calls, Delete, Entry, Key, Namespace, Programs, Put, Result, Store, Ttl};

/// A store whose keys all live inside one [`Namespace`], so that apps can share a server.
///
/// It costs one copy of the key for each operation, and no round trip. Caps of pinned kinds are
/// the inner store's, and shared with whoever else uses it.
#[derive(Clone)]
pub struct Prefixed<S: ?Sized> {
    namespace: Namespace,
    inner: Arc<S>,
}

impl<S: ?Sized> Prefixed<S> {
    /// `inner`, seen from inside `namespace`.
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

#[async_trait]
impl<S: Store + ?Sized> Store for Prefixed<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.inner.get(&self.key(key)).await
    }

    async fn put(&self, put: &Put) -> Result<bool> {
        self.inner.put(&self.put_of(put)).await
    }

    async fn delete(&self, delete: &Delete) -> Result<bool> {
        self.inner.delete(&self.delete_of(delete)).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.inner.expire(&self.key(key), ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(&self.key(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        self.inner.get_many(&keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<bool>> {
        let puts: Vec<_> = puts.iter().map(|put| self.put_of(put)).collect();
        self.inner.put_many(&puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<bool>> {
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

    fn put_now(&self, put: &Put) -> Poll<Result<bool>> {
        self.inner.put_now(&self.put_of(put))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<bool>> {
        self.inner.delete_now(&self.delete_of(delete))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        let inner = self.inner.clone().programs()?;
        Some(Arc::new(PrefixedPrograms {
            namespace: self.namespace.clone(),
            inner,
        }))
    }
}

struct PrefixedPrograms {
    namespace: Namespace,
    inner: Arc<dyn Programs>,
}

#[async_trait]
impl Programs for PrefixedPrograms {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        self.inner.call_now(&key.within(&self.namespace), call)
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.inner.call(&key.within(&self.namespace), call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let keys: Vec<_> = calls
            .iter()
            .map(|(key, _)| key.within(&self.namespace))
            .collect();
        let mut inner: Calls<'_> = Vec::with_capacity(keys.len());
        for (key, (_, call)) in keys.iter().zip(calls) {
            inner.push((key, call));
        }
        self.inner.call_many(inner).await
    }
}
