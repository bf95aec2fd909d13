use crate::CacheKey;
use crate::cache::Inner;

/// The invalidation of a key around a write or a removal in the far store.
///
/// Removes the near copy when it begins, and once more when it is dropped: a copy that was read far
/// in between may be older than the operation. A caller that goes away half-way drops it too.
pub(crate) struct Invalidation<'a, K: CacheKey, V: Send + Sync + 'static> {
    inner: &'a Inner<K, V>,
    hash: u64,
    key: &'a K,
    replaced: bool,
}

impl<'a, K: CacheKey, V: Send + Sync + 'static> Invalidation<'a, K, V> {
    pub(crate) fn begin(inner: &'a Inner<K, V>, hash: u64, key: &'a K) -> Self {
        inner.outdate(hash, key);
        Self {
            inner,
            hash,
            key,
            replaced: false,
        }
    }

    /// Ends it without removing anything: the caller puts a new value near at once.
    pub(crate) fn replace(mut self) {
        self.replaced = true;
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Invalidation<'_, K, V> {
    fn drop(&mut self) {
        if !self.replaced {
            self.inner.outdate(self.hash, self.key);
        }
    }
}
