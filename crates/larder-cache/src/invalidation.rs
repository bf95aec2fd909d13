use std::sync::Arc;

use larder_layer::envelope;
use larder_store::{Error, ErrorKind, Refusal, Result};

use crate::CacheKey;
use crate::cache::Inner;
use crate::remote::Change;

/// The invalidation of a key around a write or a removal in the far store.
///
/// Removes the near copy when it begins, and again when it is dropped: a copy that was read far in
/// between may be older than the operation. A call that is cancelled drops it too.
pub(crate) struct Invalidation<'a, K: CacheKey, V: Send + Sync + 'static> {
    inner: &'a Inner<K, V>,
    key: &'a K,
    change: Change,
    is_replaced: bool,
}

impl<'a, K: CacheKey, V: Send + Sync + 'static> Invalidation<'a, K, V> {
    pub(crate) fn begin(inner: &'a Inner<K, V>, key: &'a K, change: Change) -> Self {
        inner.invalidate_near(key, change);
        Self {
            inner,
            key,
            change,
            is_replaced: false,
        }
    }

    /// Ends the invalidation without removing anything: the caller keeps a new value near at once.
    pub(crate) fn replace(mut self) {
        self.is_replaced = true;
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Invalidation<'_, K, V> {
    fn drop(&mut self) {
        if !self.is_replaced {
            self.inner.invalidate_near(self.key, self.change);
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    pub(crate) fn invalidate_near(&self, key: &K, change: Change) {
        match change {
            Change::Removed => self.invalidate(key),
            Change::Expired => self.expire_near(key),
        }
    }

    /// Removes the far values of some keys, or quarantines the keys for which that fails.
    ///
    /// The operation that calls it began at `turn`.
    pub(crate) async fn invalidate_far(self: &Arc<Self>, keys: &[K], turn: u64) -> Vec<Result<()>> {
        let Some(far) = &self.far else {
            return keys.iter().map(|_| Ok(())).collect();
        };
        let results = far.remove_many(keys).await;
        let mut failed = Vec::new();
        for (key, result) in keys.iter().zip(&results) {
            match result {
                Ok(()) => self.pending.settle(key, turn),
                Err(_) => failed.push(key.clone()),
            }
        }
        if !failed.is_empty() {
            self.metrics
                .far_delete_errors
                .increment(failed.len() as u64);
            self.quarantine(failed);
        }
        results
    }

    /// Removes the values of some keys in the schemas of other releases, or quarantines the keys.
    pub(crate) async fn invalidate_other_schemas(self: &Arc<Self>, keys: &[K]) -> Result<()> {
        let Some(far) = self.far.as_ref().filter(|_| !keys.is_empty()) else {
            return Ok(());
        };
        let removed = far.remove_beside(keys).await;
        if removed.is_err() {
            self.metrics.far_delete_errors.increment(keys.len() as u64);
            self.quarantine(keys.iter().cloned());
        }
        removed
    }

    /// Tells other processes about a change of some keys. One round trip.
    ///
    /// If the user may not publish, that is logged once and is not an error.
    pub(crate) async fn publish(
        &self,
        change: Change,
        keys: impl IntoIterator<Item = &K>,
    ) -> Result<()> {
        let (Some(remote), Some(far)) = (&self.remote, &self.far) else {
            return Ok(());
        };
        let keys = keys.into_iter().flat_map(|key| far.all_keys(key));
        let hashes = keys.map(|key| envelope::key_hash(&key));
        let published = remote.publish(change, &hashes.collect::<Vec<_>>()).await;
        published.or_else(|error| self.not_published(error))
    }

    /// Returns the error of a message, unless the user may not publish any.
    pub(crate) fn not_published(&self, error: Error) -> Result<()> {
        self.metrics.far_publish_errors.increment(1);
        if error.kind() != ErrorKind::Refused(Refusal::Denied) {
            return Err(error);
        }
        // The server allows this user no bus, and would not allow one later.
        if let Some(remote) = &self.remote {
            remote.warn_that_it_is_denied(self.kind, &error);
        }
        Ok(())
    }

    /// Tells other processes, and quarantines the keys if that fails.
    pub(crate) async fn publish_or_quarantine(
        self: &Arc<Self>,
        change: Change,
        keys: &[K],
    ) -> Result<()> {
        let published = self.publish(change, keys).await;
        if published.is_err() {
            self.quarantine(keys.iter().cloned());
        }
        published
    }
}
