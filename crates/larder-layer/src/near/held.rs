use std::sync::Arc;

use larder_store::Timestamp;
use quick_cache::Weighter;

/// A value of a [`NearCache`](crate::NearCache) and its deadline.
#[derive(Clone, Debug)]
pub struct Held<V> {
    /// The value.
    pub value: V,
    /// When the value expires. After that, the caller asks its source again.
    pub deadline: Timestamp,
}

/// Weighs an entry. A weight of 0 counts as 1.
pub type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// Weighs every entry as 1, or by a function.
pub(super) struct Weigh<K, V>(pub(super) Option<Weigher<K, V>>);

impl<K, V> Clone for Weigh<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Weighter<K, Held<V>> for Weigh<K, V> {
    fn weight(&self, key: &K, held: &Held<V>) -> u64 {
        match &self.0 {
            Some(weigh) => weigh(key, &held.value).max(1),
            None => 1,
        }
    }
}
