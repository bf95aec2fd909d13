use std::hash::Hash;
use std::sync::Arc;

use foldhash::quality::RandomState;
use larder_store::{Clock, Timestamp};

/// The near tier: shared values by key, bounded, each with a deadline of ours.
///
/// moka stays behind this seam. Its own TTL is not used: its clock cannot be moved by a test. An
/// entry past its deadline is never answered; its room is reused when the key is written again or
/// when moka evicts it.
pub(crate) struct Near<K, V> {
    entries: moka::sync::Cache<K, Held<V>, RandomState>,
}

/// How much the near tier holds.
pub(crate) enum Capacity<K, V> {
    /// This many entries.
    Entries(u64),
    /// Entries of this weight together.
    Weight(u64, Weigher<K, V>),
}

pub(crate) type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u32 + Send + Sync>;

struct Held<V> {
    value: Arc<V>,
    deadline: Timestamp,
}

impl<K, V> Near<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new(capacity: Capacity<K, V>, hasher: RandomState) -> Self {
        let builder = moka::sync::Cache::builder();
        let builder = match capacity {
            Capacity::Entries(entries) => builder.max_capacity(entries),
            Capacity::Weight(weight, weigh) => builder
                .max_capacity(weight)
                .weigher(move |key, held: &Held<V>| weigh(key, &held.value)),
        };
        Self {
            entries: builder.build_with_hasher(hasher),
        }
    }

    /// The value of `key`, unless it is past its deadline. It decodes and allocates nothing.
    pub(crate) fn get(&self, key: &K, clock: &dyn Clock) -> Option<Arc<V>> {
        let held = self.entries.get(key)?;
        clock.is_before(held.deadline).then_some(held.value)
    }

    /// The same for one who has just missed: a second miss is cheaper.
    pub(crate) fn get_again(&self, key: &K, clock: &dyn Clock) -> Option<Arc<V>> {
        if self.entries.contains_key(key) {
            self.get(key, clock)
        } else {
            None
        }
    }

    pub(crate) fn insert(&self, key: K, value: Arc<V>, deadline: Timestamp) {
        self.entries.insert(key, Held { value, deadline });
    }

    pub(crate) fn remove(&self, key: &K) {
        self.entries.invalidate(key);
    }
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            deadline: self.deadline,
        }
    }
}
