use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use larder_store::Timestamp;
use parking_lot::Mutex;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

/// The number of generation counters. More of them only make needless refusals rarer.
const STRIPES: usize = 256;

/// The assumed weight of an entry when a capacity in weight is divided into shards.
const TYPICAL_WEIGHT: u64 = 1024;

/// The fewest entries that a shard is expected to hold.
const ENTRIES_PER_SHARD: usize = 32;

/// The most shards of a capacity in weight, so that a heavy entry fits into one on any machine.
const MAX_WEIGHT_SHARDS: usize = 16;

/// The most entries that room for evicted keys is planned for.
const MAX_ESTIMATE: usize = 1 << 24;

/// Keeps values in this process, in bounded memory and each with a deadline.
///
/// A hit takes a shared lock and clones the value; it allocates nothing. The caller compares the
/// deadline with its own clock, so a test can move the clock. A variant of S3-FIFO decides which
/// entries are evicted (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
///
/// A value that was read elsewhere before an invalidation must not be kept after it: take the
/// [`generation`](Self::generation) before the read, and [`insert_if_unchanged`] after it.
///
/// Several keys share a generation, so an insert may be refused needlessly; it is never allowed
/// wrongly. `Drop` of a value, and `Hash` and `Eq` of a key, must not call the cache.
///
/// [`insert_if_unchanged`]: Self::insert_if_unchanged
pub struct NearCache<K, V> {
    entries: Cache<K, Held<V>, Weigh<K, V>, RandomState>,
    hasher: RandomState,
    stripes: Box<[Mutex<u64>]>,
    /// The number of invalidations by predicate so far.
    sweeps: AtomicU64,
}

/// The bound of a [`NearCache`].
pub enum Capacity<K, V> {
    /// At most this many entries.
    Entries(u64),
    /// Entries of at most this weight together, such as bytes, by a function that weighs each.
    ///
    /// An entry of up to a twentieth of the capacity fits. A heavier one may not be kept.
    Weight(u64, Weigher<K, V>),
}

/// Weighs an entry. A weight of 0 counts as 1.
pub type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// A value of a [`NearCache`] and its deadline.
#[derive(Clone, Debug)]
pub struct Held<V> {
    /// The value.
    pub value: V,
    /// When the value ends: after that, its source must be asked again.
    pub deadline: Timestamp,
}

/// The number of invalidations of a key, and of those that share its count, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    invalidations: u64,
    sweeps: u64,
}

impl Generation {
    /// Returns whether there was no invalidation by predicate since `earlier`.
    pub fn has_sweeps_of(self, earlier: Self) -> bool {
        self.sweeps == earlier.sweeps
    }

    /// Returns this generation, with the invalidations by predicate that `earlier` had seen.
    ///
    /// For work that began at `earlier` and goes on under another key.
    #[must_use]
    pub fn with_sweeps_of(self, earlier: Self) -> Self {
        Self {
            sweeps: earlier.sweeps,
            ..self
        }
    }
}

impl<K, V> NearCache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Makes an empty cache.
    pub fn new(capacity: Capacity<K, V>) -> Self {
        let hasher = RandomState::default();
        let (total, items, max_shards, weigher) = match capacity {
            Capacity::Entries(entries) => (entries, entries, usize::MAX, None),
            Capacity::Weight(total, weigher) => {
                let items = total / TYPICAL_WEIGHT;
                (total, items, MAX_WEIGHT_SHARDS, Some(weigher))
            }
        };
        let items = usize::try_from(items)
            .unwrap_or(usize::MAX)
            .min(MAX_ESTIMATE);
        let shards = shards(items).min(max_shards);
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(items)
            // As many evicted keys are remembered as are kept: scans of new keys then cost less.
            .ghost_allocation(1.0)
            // Rounded down, because each shard rounds its part up.
            .weight_capacity(total - total % shards as u64)
            .build();
        // Both capacities, which are all that it asks for, are given.
        #[allow(clippy::expect_used)]
        let options = options.expect("the options of the near cache are complete");
        Self {
            entries: Cache::with_options(
                options,
                Weigh(weigher),
                hasher.clone(),
                DefaultLifecycle::default(),
            ),
            hasher,
            stripes: std::iter::repeat_with(Mutex::default)
                .take(STRIPES)
                .collect(),
            sweeps: AtomicU64::new(0),
        }
    }

    /// Returns the value of `key`, whether its deadline has passed or not.
    pub fn get<Q>(&self, key: &Q) -> Option<Held<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.get(key)
    }

    /// Returns the same as [`get`](Self::get), without counting as a use.
    pub fn peek<Q>(&self, key: &Q) -> Option<Held<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.peek(key)
    }

    /// Returns the generation of `key`, to be taken before its value is read elsewhere.
    pub fn generation<Q: Hash + ?Sized>(&self, key: &Q) -> Generation {
        Generation {
            sweeps: self.sweeps.load(Ordering::SeqCst),
            invalidations: *self.stripe(key).lock(),
        }
    }

    /// Keeps a value, unless its key was invalidated since `generation`. Returns whether it did.
    pub fn insert_if_unchanged(
        &self,
        key: K,
        value: V,
        deadline: Timestamp,
        generation: Generation,
    ) -> bool {
        let stripe = self.stripe(&key).lock();
        let is_current = *stripe == generation.invalidations
            && self.sweeps.load(Ordering::SeqCst) == generation.sweeps;
        if is_current {
            self.entries.insert(key, Held { value, deadline });
        }
        is_current
    }

    /// Keeps a value. An older one that is being read of its key meanwhile does not replace it.
    pub fn put(&self, key: K, value: V, deadline: Timestamp) {
        let mut stripe = self.stripe(&key).lock();
        *stripe = stripe.wrapping_add(1);
        self.entries.insert(key, Held { value, deadline });
    }

    /// Does the same, unless the key was invalidated since `generation`. Returns whether it did.
    pub fn put_if_unchanged(
        &self,
        key: K,
        value: V,
        deadline: Timestamp,
        generation: Generation,
    ) -> bool {
        let mut stripe = self.stripe(&key).lock();
        let is_current = *stripe == generation.invalidations
            && self.sweeps.load(Ordering::SeqCst) == generation.sweeps;
        if is_current {
            *stripe = stripe.wrapping_add(1);
            self.entries.insert(key, Held { value, deadline });
        }
        is_current
    }

    /// Keeps a value that the caller knows to be current.
    pub fn insert(&self, key: K, value: V, deadline: Timestamp) {
        self.entries.insert(key, Held { value, deadline });
    }

    /// Removes the value of `key`. A value that is being read of it meanwhile is not kept.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let mut stripe = self.stripe(key).lock();
        *stripe = stripe.wrapping_add(1);
        self.entries.remove(key);
    }

    /// Removes the value of `key` if it matches. A value that is being read meanwhile may be kept.
    ///
    /// For a value that has ended. `matches` runs under a lock.
    pub fn remove_if<Q>(&self, key: &Q, matches: impl FnOnce(&Held<V>) -> bool) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.remove_if(key, matches).is_some()
    }

    /// Iterates over clones of the entries, whether their deadlines have passed or not.
    ///
    /// An entry that is inserted or removed meanwhile may be among them or not.
    pub fn iter(&self) -> impl Iterator<Item = (K, Held<V>)> + '_ {
        self.entries.iter()
    }

    /// Removes every value that matches. No value that is being read meanwhile is kept.
    ///
    /// It visits every entry.
    pub fn invalidate_where(&self, matches: impl Fn(&K, &V) -> bool) {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        // An insert that has not seen the new count holds its stripe, and ends before the sweep.
        for stripe in &self.stripes {
            drop(stripe.lock());
        }
        self.entries.retain(|key, held| !matches(key, &held.value));
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the weight of all entries together: their number where the capacity is one of entries.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }

    fn stripe<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<u64> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }
}

impl<K, V> fmt::Debug for NearCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache").finish_non_exhaustive()
    }
}

/// Returns the number of shards for so many entries: a power of two, and four for each core.
fn shards(items: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let fitting = (items / ENTRIES_PER_SHARD).max(1);
    (cores * 4).next_power_of_two().min(1 << fitting.ilog2())
}

struct Weigh<K, V>(Option<Weigher<K, V>>);

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

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_micros(10);

    fn near() -> NearCache<Box<[u8]>, u32> {
        NearCache::new(Capacity::Entries(100))
    }

    fn value(near: &NearCache<Box<[u8]>, u32>, key: &[u8]) -> Option<u32> {
        near.get(key).map(|held| held.value)
    }

    #[test]
    fn a_value_comes_back_with_its_deadline() {
        let near = near();
        near.insert(b"a"[..].into(), 7, END);
        assert_eq!(
            near.get(b"a".as_slice()).map(|held| held.deadline),
            Some(END)
        );
        near.invalidate(b"a".as_slice());
        assert_eq!(value(&near, b"a"), None);
    }

    #[test]
    fn a_value_read_before_an_invalidation_is_not_kept_after_it() {
        let near = near();
        let before = near.generation(b"a".as_slice());
        near.invalidate(b"a".as_slice());
        assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
        let before = near.generation(b"a".as_slice());
        near.invalidate_where(|_, _| false);
        assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
        let before = near.generation(b"a".as_slice());
        near.put(b"a"[..].into(), 8, END);
        assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
        assert_eq!(value(&near, b"a"), Some(8));
        let now = near.generation(b"a".as_slice());
        assert!(near.insert_if_unchanged(b"a"[..].into(), 9, END, now));
        assert_eq!(value(&near, b"a"), Some(9));
    }

    #[test]
    fn values_that_match_are_invalidated_and_the_others_stay() {
        let near = near();
        for number in 0..50_u32 {
            near.insert(number.to_le_bytes().into(), number, END);
        }
        near.invalidate_where(|_, number| number % 2 == 0);
        for number in 0..50_u32 {
            let is_odd = number % 2 == 1;
            assert_eq!(value(&near, &number.to_le_bytes()).is_some(), is_odd);
        }
    }

    #[test]
    fn no_more_is_kept_than_the_capacity_in_entries_even_if_the_shards_do_not_divide_it() {
        for capacity in [1, 31, 100, 1_003] {
            let near = NearCache::new(Capacity::Entries(capacity));
            for number in 0..10_000_u32 {
                near.insert(number, number, END);
                assert!(near.len() as u64 <= capacity);
            }
            assert!(near.len() as u64 >= capacity / 2);
        }
    }

    #[test]
    fn no_more_is_kept_than_the_capacity_in_weight_and_used_entries_stay() {
        let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
        let near = NearCache::new(Capacity::Weight(1 << 20, weigh));
        near.insert(u32::MAX, 10_000_u64, END);
        for number in 0..10_000_u32 {
            near.insert(number, 1_000 + u64::from(number % 7), END);
            assert!(near.get(&u32::MAX).is_some(), "evicted at {number}");
            assert!(near.weight() <= 1 << 20);
        }
        near.insert(u32::MAX, 1 << 21, END);
        assert!(near.get(&u32::MAX).is_none(), "the older value is gone too");
    }

    #[test]
    fn an_entry_of_a_twentieth_of_the_capacity_fits() {
        let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
        let near = NearCache::new(Capacity::Weight(64 << 20, weigh));
        for number in 0..100 {
            near.insert(number, (64 << 20) / 20, END);
            assert!(near.get(&number).is_some());
        }
    }

    #[test]
    fn a_key_that_is_written_again_and_again_takes_no_more_room() {
        let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
        let near = NearCache::new(Capacity::Weight(1 << 20, weigh));
        for _ in 0..10_000 {
            near.put(1, 1_000_u64, END);
        }
        assert_eq!((near.len(), near.weight()), (1, 1_000));
    }

    #[test]
    fn a_sweep_waits_for_an_insert_that_has_passed_its_check() {
        let near = NearCache::new(Capacity::Entries(100));
        std::thread::scope(|scope| {
            let before = near.generation(&1_u32);
            let stripe = near.stripe(&1_u32).lock();
            let sweeper = scope.spawn(|| near.invalidate_where(|_, _| true));
            let since = std::time::Instant::now();
            while !sweeper.is_finished() && since.elapsed().as_millis() < 20 {
                std::thread::yield_now();
            }
            assert_ne!(near.sweeps.load(Ordering::SeqCst), before.sweeps);
            near.entries.insert(
                1,
                Held {
                    value: 7,
                    deadline: END,
                },
            );
            drop(stripe);
        });
        assert!(near.get(&1).is_none());
    }
}
