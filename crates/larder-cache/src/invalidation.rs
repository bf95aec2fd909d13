use crate::CacheKey;
use crate::cache::Inner;

/// The invalidation of a key around a write or a removal in the far store.
///
/// Removes the near copy when it begins, and once more when it is dropped: a copy that was read far
/// in between may be older than the operation. A call that is dropped half-way drops it too.
pub(crate) struct Invalidation<'a, K: CacheKey, V: Send + Sync + 'static> {
    inner: &'a Inner<K, V>,
    key: &'a K,
    is_replaced: bool,
}

impl<'a, K: CacheKey, V: Send + Sync + 'static> Invalidation<'a, K, V> {
    pub(crate) fn begin(inner: &'a Inner<K, V>, key: &'a K) -> Self {
        inner.invalidate(key);
        Self {
            inner,
            key,
            is_replaced: false,
        }
    }

    /// Ends it without removing anything: the caller keeps a new value near at once.
    pub(crate) fn replace(mut self) {
        self.is_replaced = true;
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Invalidation<'_, K, V> {
    fn drop(&mut self) {
        if !self.is_replaced {
            self.inner.invalidate(self.key);
        }
    }
}
