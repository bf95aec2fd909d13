mod capacity;
mod drops;
mod gauges;
mod held;

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use larder_store::Timestamp;
use metrics::Gauge;
use parking_lot::Mutex;
use quick_cache::Equivalent;
use quick_cache::sync::{Cache, DefaultLifecycle};

pub use capacity::Capacity;
pub use held::{Held, Weigher};

use drops::Drops;
use gauges::Gauges;
use held::Weigh;

/// The number of generation counters. With more of them, fewer inserts are refused unnecessarily.
const STRIPES: usize = 256;

/// Keeps values in this process, in bounded memory and each with a deadline.
///
/// A hit takes a shared lock and clones the value; it allocates nothing. The caller compares the
/// deadline with its own clock, so a test can move the clock. A variant of S3-FIFO decides which
/// entries are evicted (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
///
/// A value that was read elsewhere before an invalidation must not be kept after it: take the
/// [`generation`](Self::generation) before the read, and [`insert_if_unchanged`] after it.
///
/// Several keys share a generation, so an insert may be refused unnecessarily, but is never allowed
/// wrongly. `Drop` of a value, and `Hash` and `Eq` of a key, must not call the cache.
///
/// [`insert_if_unchanged`]: Self::insert_if_unchanged
pub struct NearCache<K, V> {
    entries: Cache<K, Held<V>, Weigh<K, V>, RandomState>,
    hasher: RandomState,
    stripes: Box<[Mutex<Stripe>]>,
    /// The number of times so far that the reads of all keys were outdated, and how many of these were
    /// invalidations by predicate.
    sweeps: AtomicU64,
    removals: AtomicU64,
    gauges: Option<Gauges>,
}

/// The number of invalidations of a key, and of those that share its count, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    invalidations: u64,
    drops: u64,
    sweeps: u64,
    removals: u64,
}

/// What happened to the keys that share a generation.
#[derive(Default)]
struct Stripe {
    invalidations: u64,
    drops: Drops,
}

impl Stripe {
    fn invalidate(&mut self) {
        self.invalidations = self.invalidations.wrapping_add(1);
    }
}

impl Generation {
    /// Returns whether there was an [`invalidate_where`](NearCache::invalidate_where) or an
    /// [`expire_reads`](NearCache::expire_reads) since `earlier`.
    pub fn is_swept_since(self, earlier: Self) -> bool {
        self.sweeps != earlier.sweeps
    }

    /// Returns this generation, but with the invalidations of all keys that `earlier` had seen.
    ///
    /// Use it for work that began at `earlier` and continues under another key.
    #[must_use]
    pub fn with_sweeps_of(self, earlier: Self) -> Self {
        Self {
            sweeps: earlier.sweeps,
            removals: earlier.removals,
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
        let (options, weigh) = capacity.into_options();
        Self {
            entries: Cache::with_options(
                options,
                weigh,
                hasher.clone(),
                DefaultLifecycle::default(),
            ),
            hasher,
            stripes: std::iter::repeat_with(Mutex::default)
                .take(STRIPES)
                .collect(),
            sweeps: AtomicU64::new(0),
            removals: AtomicU64::new(0),
            gauges: None,
        }
    }

    /// Shows the number of entries and their weight on gauges. Default: no gauges.
    ///
    /// Caches that share a gauge add up on it. On a machine with many cores it may lag behind by half as
    /// many changes as there are cores.
    #[must_use]
    pub fn with_gauges(mut self, entries: Gauge, weight: Gauge) -> Self {
        self.gauges = Some(Gauges::new(entries, weight));
        self
    }

    /// Returns the value of `key`, whether its deadline has passed or not.
    pub fn get<Q>(&self, key: &Q) -> Option<Held<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.get(key)
    }

    /// Returns the value of `key` as [`get`](Self::get) does, without counting as a use.
    pub fn peek<Q>(&self, key: &Q) -> Option<Held<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.peek(key)
    }

    /// Returns the generation of `key`. Take it before reading the value elsewhere.
    pub fn generation<Q: Hash + ?Sized>(&self, key: &Q) -> Generation {
        let sweeps = self.sweeps.load(Ordering::SeqCst);
        let removals = self.removals.load(Ordering::SeqCst);
        let stripe = self.stripe(key).lock();
        Generation {
            invalidations: stripe.invalidations,
            drops: stripe.drops.count(),
            sweeps,
            removals,
        }
    }

    /// Keeps a value, unless its key was invalidated since `generation`. Returns whether the generation was
    /// still current.
    ///
    /// Even then a value that is too heavy for its shard is dropped.
    pub fn insert_if_unchanged(
        &self,
        key: K,
        value: V,
        deadline: Timestamp,
        generation: Generation,
    ) -> bool {
        let stripe = self.stripe(&key).lock();
        let is_current = self.is_current(&stripe, generation);
        if is_current {
            self.entries.insert(key, Held { value, deadline });
            self.changed();
        }
        is_current
    }

    /// Keeps a new value of `key`. A value that is being read at the same time does not replace it.
    pub fn put(&self, key: K, value: V, deadline: Timestamp) {
        let mut stripe = self.stripe(&key).lock();
        stripe.invalidate();
        self.entries.insert(key, Held { value, deadline });
        self.changed();
    }

    /// Does the same as [`put`](Self::put) with the result of `make`, which runs under a lock.
    ///
    /// Of two values, the one that is made later stays. `make` must not use the cache.
    pub fn put_with(&self, key: K, make: impl FnOnce() -> Held<V>) {
        let mut stripe = self.stripe(&key).lock();
        stripe.invalidate();
        self.entries.insert(key, make());
        self.changed();
    }

    /// Does the same as [`put`](Self::put), unless the key was invalidated since `generation`.
    ///
    /// Returns whether it did.
    pub fn put_if_unchanged(
        &self,
        key: K,
        value: V,
        deadline: Timestamp,
        generation: Generation,
    ) -> bool {
        let mut stripe = self.stripe(&key).lock();
        let is_current = self.is_current(&stripe, generation);
        if is_current {
            stripe.invalidate();
            self.entries.insert(key, Held { value, deadline });
            self.changed();
        }
        is_current
    }

    /// Keeps a value that the caller knows to be current.
    pub fn insert(&self, key: K, value: V, deadline: Timestamp) {
        let _stripe = self.stripe(&key).lock();
        self.entries.insert(key, Held { value, deadline });
        self.changed();
    }

    /// Replaces the value of `key` by the result of `change`, in one step. Returns whether it did.
    ///
    /// `change` gets `None` if there is no value. If it returns `None`, nothing changes. No other value
    /// is kept in between. It runs under a lock, and must not use the cache.
    pub fn update(&self, key: &K, change: impl FnOnce(Option<Held<V>>) -> Option<Held<V>>) -> bool {
        let _stripe = self.stripe(key).lock();
        self.replace_by(key, change)
    }

    /// Does the same as [`update`](Self::update), unless the key was invalidated since `generation`.
    pub fn update_if_unchanged(
        &self,
        key: &K,
        generation: Generation,
        change: impl FnOnce(Option<Held<V>>) -> Option<Held<V>>,
    ) -> bool {
        let stripe = self.stripe(key).lock();
        self.is_current(&stripe, generation) && self.replace_by(key, change)
    }

    /// Does the same for a value that has ended, which is also kept after an [`expire_reads`], but not
    /// after a [`remove_if`] of its key.
    ///
    /// [`expire_reads`]: Self::expire_reads
    /// [`remove_if`]: Self::remove_if
    pub fn update_unless_removed(
        &self,
        key: &K,
        generation: Generation,
        change: impl FnOnce(Option<Held<V>>) -> Option<Held<V>>,
    ) -> bool {
        let hash = self.hasher.hash_one(key);
        let stripe = self.stripe_of(hash).lock();
        let is_current = stripe.invalidations == generation.invalidations
            && self.removals.load(Ordering::SeqCst) == generation.removals
            && !stripe.drops.has(hash, generation.drops);
        is_current && self.replace_by(key, change)
    }

    /// Does the work of an update, whose caller holds the stripe of the key.
    fn replace_by(&self, key: &K, change: impl FnOnce(Option<Held<V>>) -> Option<Held<V>>) -> bool {
        let Some(held) = change(self.entries.peek(key)) else {
            return false;
        };
        self.entries.insert(key.clone(), held);
        self.changed();
        true
    }

    /// Removes the value of `key`. A value that is being read at the same time is not kept.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let mut stripe = self.stripe(key).lock();
        stripe.invalidate();
        if self.entries.remove(key).is_some() {
            self.changed();
        }
    }

    /// Removes the value of `key` if it matches. Returns whether it did.
    ///
    /// Use it for a value that has ended and no longer exists elsewhere: one that is being read at the same
    /// time is not kept as one that has ended, see [`update_unless_removed`](Self::update_unless_removed).
    /// Otherwise it may be kept. `matches` runs under a lock.
    pub fn remove_if<Q>(&self, key: &Q, matches: impl FnOnce(&Held<V>) -> bool) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut stripe = self.stripe_of(hash).lock();
        stripe.drops.add(hash);
        let is_removed = self.entries.remove_if(key, matches).is_some();
        if is_removed {
            self.changed();
        }
        is_removed
    }

    /// Iterates over clones of the entries, whether their deadlines have passed or not.
    ///
    /// An entry that is inserted or removed meanwhile may or may not be included.
    pub fn iter(&self) -> impl Iterator<Item = (K, Held<V>)> + '_ {
        self.entries.iter()
    }

    /// Removes every value that matches. No value that is being read at the same time is kept.
    ///
    /// It visits every entry.
    pub fn invalidate_where(&self, matches: impl Fn(&K, &V) -> bool) {
        self.removals.fetch_add(1, Ordering::SeqCst);
        self.expire_reads();
        self.entries.retain(|key, held| !matches(key, &held.value));
        if let Some(gauges) = &self.gauges {
            gauges.show(|| self.size());
        }
    }

    /// Keeps no value that is being read at the same time, unless it is kept as one that has ended.
    ///
    /// When it returns, every value that was kept before is among the entries.
    pub fn expire_reads(&self) {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        // An insert that has not seen the new count holds its stripe, and ends before this does.
        for stripe in &self.stripes {
            drop(stripe.lock());
        }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the total weight of the entries, or their number if the capacity counts entries.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }

    fn changed(&self) {
        if let Some(gauges) = &self.gauges {
            gauges.changed(|| self.size());
        }
    }

    fn size(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.entries.weight())
    }

    /// Returns whether a key of this stripe has this generation.
    fn is_current(&self, stripe: &Stripe, generation: Generation) -> bool {
        stripe.invalidations == generation.invalidations
            && self.sweeps.load(Ordering::SeqCst) == generation.sweeps
    }

    fn stripe<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<Stripe> {
        self.stripe_of(self.hasher.hash_one(key))
    }

    fn stripe_of(&self, hash: u64) -> &Mutex<Stripe> {
        &self.stripes[hash as usize % STRIPES]
    }
}

impl<K, V> fmt::Debug for NearCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
