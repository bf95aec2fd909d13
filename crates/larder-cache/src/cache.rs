use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_layer::tags::Tag;
use larder_layer::{NearCache, Pending, Replay, ReplayTask, SingleFlight, envelope};
use larder_store::{Clock, Key, KeyId, Kind, Timestamp, Ttl};
use tokio::sync::Notify;

use crate::batch::Refresh;
use crate::far::Far;
use crate::kept::{Kept, Near};
use crate::leader::Outcome;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::recursion::Node;
use crate::remote::Remote;
use crate::values::ValueFormat;
use crate::{CacheBuilder, Found, ReadOptions, Source, Stats};

/// A type that can name a value in a [`Cache`]: any type with these traits.
///
/// Two keys must write the same id if and only if they are equal.
pub trait CacheKey: KeyId + Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: KeyId + Hash + Eq + Clone + Send + Sync + 'static> CacheKey for K {}

/// Caches values of type `V` by keys of type `K`, in this process and in a far store.
///
/// Clones are cheap and share everything. Values are returned as an `Arc`; a hit in the near tier
/// neither decodes nor allocates.
///
/// `Drop` of a value and `Hash` and `Eq` of a key run under a lock of the cache: they must not call
/// the cache.
///
/// ```
/// use larder_cache::Cache;
/// use larder_store::{Kind, Ttl};
///
/// const FILM: Kind = Kind::evictable("film");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let films: Cache<u32, String> = Cache::builder(FILM, Ttl::from_secs(300)).build()?;
/// let load = || async { Ok::<_, std::io::Error>("Metropolis".to_owned()) };
/// assert_eq!(*films.get_or_load(&7, load).await?, "Metropolis");
/// films.remove(&7).await?;
/// # Ok(())
/// # }
/// ```
pub struct Cache<K, V> {
    pub(crate) inner: Arc<Inner<K, V>>,
}

/// The state that all clones share.
///
/// The near tier of a key changes in one of three ways, so that a value which was invalidated is
/// never near: an invalidation first invalidates the flight, then the near copy; a leader keeps
/// its value only while its flight is current; a read without a flight keeps its value only if the
/// generation of the key is unchanged. The last two also ask [`Remote`] whether another process
/// has invalidated the key meanwhile.
pub(crate) struct Inner<K, V> {
    pub(crate) kind: Kind,
    pub(crate) near: NearCache<K, Kept<V>>,
    /// False if every read goes to the far store.
    pub(crate) keeps_near: bool,
    /// The form of its stored values, also of those that wait in a journal of write-behind.
    pub(crate) format: ValueFormat,
    pub(crate) far: Option<Far<V>>,
    pub(crate) remote: Option<Remote<K>>,
    pub(crate) pending: Pending<K>,
    pub(crate) replay_task: ReplayTask,
    /// The tag that every value carries, if the cache can be cleared.
    pub(crate) clear_tag: Option<Tag>,
    pub(crate) flights: Arc<SingleFlight<K, Outcome<V>>>,
    /// Loads the values that are due for a refresh, in batches.
    pub(crate) refresher: Option<Box<dyn Refresh>>,
    pub(crate) lifetime: Lifetime,
    pub(crate) load_timeout: Duration,
    pub(crate) soft_timeout: Option<Duration>,
    /// The pause after a first failed load, while there is something to serve.
    pub(crate) retry_after: Duration,
    pub(crate) max_retry_after: Duration,
    /// Wakes the callers whose soft timeout has passed when there is something to serve them.
    pub(crate) fallback_kept: Notify,
    /// Counts the reads of the far store and the loads, to order them with the calls.
    pub(crate) steps: AtomicU64,
    pub(crate) hasher: RandomState,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Returns a builder of a cache whose values live for `ttl`, under keys of `kind`, in this process only.
    ///
    /// Give each cache a kind of its own: the kind is part of its far keys, and labels its metrics.
    pub fn builder(kind: Kind, ttl: Ttl) -> CacheBuilder<K, V> {
        CacheBuilder::new(kind, ttl)
    }

    pub(crate) fn from_inner(inner: Inner<K, V>) -> Self {
        let inner = Arc::new(inner);
        inner.listen();
        Self { inner }
    }

    /// Returns the near value of `key`, without waiting, a round trip or an allocation.
    ///
    /// A value that is served stale after a failed load is not returned.
    pub fn get_near(&self, key: &K) -> Option<Arc<V>> {
        self.near_hit(key, ReadOptions::new())?.value
    }

    /// Returns the value that a near hit serves, and counts the hit. None if the source has no value.
    pub(crate) fn hit(&self, kept: &Kept<V>) -> Option<Found<V>> {
        kept.value.as_ref()?;
        self.inner.count_near(kept);
        self.inner.found_near(kept.clone())
    }

    /// Returns the cached value of `key`, near or far.
    ///
    /// A near hit takes no round trip, everything else one. If the far store fails or is late, that is
    /// a miss, and counted.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn get(&self, key: &K) -> Option<Arc<V>> {
        match self.near_hit(key, ReadOptions::new()) {
            Some(kept) => kept.value,
            None => Some(self.find_with(key, ReadOptions::new()).await?.value),
        }
    }

    /// Does the same as [`get`](Self::get), and reports where the value came from and how old it is.
    pub async fn find(&self, key: &K) -> Option<Found<V>> {
        self.find_with(key, ReadOptions::new()).await
    }

    /// Does the same as [`find`](Self::find), with other options.
    ///
    /// It never loads, so it returns None if the options [force](ReadOptions::force_fresh) a load.
    pub async fn find_with(&self, key: &K, options: ReadOptions) -> Option<Found<V>> {
        let inner = &self.inner;
        inner.listening().await;
        if options.forces_fresh {
            return None;
        }
        if !options.skips_near
            && let Some(kept) = self.near_hit(key, options)
        {
            return inner.found_near(kept);
        }
        let look = match options.skips_far {
            true => inner.not_looked(key),
            false => inner.look_far(key, !options.skips_near).await,
        };
        let found = match look {
            Look::Fresh(kept) => return kept.and_then(|kept| inner.found(kept, Source::Far)),
            Look::RefreshDue(kept) => {
                self.refresh_in_batch(key, &kept);
                return inner.found(kept, Source::Far);
            }
            Look::Stale(kept) => Some(kept),
            Look::Absent => None,
            Look::NoFar => inner.fallback(key),
        };
        let found = found
            .filter(|_| options.allows_stale)
            .and_then(|kept| inner.found_stale(kept));
        if found.is_none() {
            inner.metrics.misses.increment();
        }
        found
    }

    /// Returns the near copy, unless it has ended, and counts a hit.
    ///
    /// After a failed load a stale copy is served to callers who would load, and to those who allow it.
    fn near_hit(&self, key: &K, options: ReadOptions) -> Option<Kept<V>> {
        let kept = match self.inner.look_near(key) {
            Near::Hit(kept) if kept.is_stale && !options.allows_stale => return None,
            Near::Hit(kept) => kept,
            Near::RefreshDue(kept) => {
                self.refresh_in_batch(key, &kept);
                kept
            }
            Near::Miss => return None,
        };
        self.inner.count_near(&kept);
        Some(kept)
    }

    /// Returns the number of loads that are running, including the far reads before them.
    pub fn loads_in_flight(&self) -> usize {
        self.inner.flights.in_flight()
    }

    /// Returns counts of this cache in this process. It takes no round trip.
    pub fn stats(&self) -> Stats {
        let inner = &*self.inner;
        let metrics = &inner.metrics;
        let failed = [&metrics.failed, &metrics.panicked, &metrics.timed_out];
        Stats {
            near_hits: metrics.near_hits.count(),
            far_hits: metrics.far_hits.count(),
            misses: metrics.misses.count(),
            loads: metrics.loaded.count(),
            failed_loads: failed.iter().map(|counted| counted.count()).sum(),
            stale: metrics.stale.count(),
            near_entries: inner.near.len() as u64,
            near_weight: inner.near.weight(),
            loads_in_flight: inner.flights.in_flight() as u64,
            invalidations_pending: inner.waiting() as u64,
        }
    }

    /// Iterates over the near values that are fresh, in no order.
    ///
    /// A value that is kept or removed meanwhile may or may not be included. The iteration does not
    /// count as use of the values.
    pub fn iter_near(&self) -> impl Iterator<Item = (K, Arc<V>)> + '_ {
        let inner = &*self.inner;
        let now = inner.clock.now();
        inner.near.iter().filter_map(move |(key, held)| {
            let kept = held.value;
            let is_fresh = now < kept.near_until && now < kept.times.fresh_until;
            Some((key, kept.value.filter(|_| is_fresh)?))
        })
    }
}

impl Reading {
    /// Returns the reading of a value that is kept only for failing loads.
    pub(crate) fn for_fallback(self) -> Self {
        Self {
            mark: self.mark.map(crate::remote::Mark::of_removals),
            ..self
        }
    }
}

/// The result of a read of the far store, with the near copy of the entry.
pub(crate) enum Look<V> {
    /// A fresh entry; None if it records that the source has no value.
    Fresh(Option<Kept<V>>),
    /// A fresh entry, to be refreshed.
    RefreshDue(Kept<V>),
    /// An entry that may only be served stale.
    Stale(Kept<V>),
    Absent,
    /// The far store is missing, may not be asked now, or has failed.
    NoFar,
}

/// The time at which a read of the far store began, compared when its value is kept.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) generation: larder_layer::Generation,
    /// The start of the read. The near TTL counts from here, because the entry may be invalidated
    /// later.
    pub(crate) began: Timestamp,
    hash: u64,
    mark: Option<crate::remote::Mark>,
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    pub(crate) fn count_near(&self, kept: &Kept<V>) {
        if kept.value.is_none() {
            self.metrics.not_found.increment(1);
        } else if kept.is_stale {
            self.metrics.stale.increment();
        } else {
            self.metrics.near_hits.increment();
        }
    }

    pub(crate) fn found_near(&self, kept: Kept<V>) -> Option<Found<V>> {
        let source = match kept.is_stale {
            true => Source::Stale,
            false => Source::Near,
        };
        self.found(kept, source)
    }

    /// Returns the far tier, if the value of `key` may be read there now.
    pub(crate) fn usable_far(&self, key: &K) -> Option<&Far<V>> {
        let far = self.far.as_ref()?;
        // A key that is not read must not use up the single try of a store that keeps failing.
        if self.pending.contains(key) || !far.breaker.permits() {
            self.metrics.far_skipped.increment(1);
            return None;
        }
        Some(far)
    }

    /// Returns whether callers are promised every invalidation that was acknowledged before their
    /// call.
    pub(crate) fn is_promised(&self) -> bool {
        self.far.is_some() && !self.keeps_near
    }

    /// Notes that a read of the far store, or a load, begins now.
    pub(crate) fn begin_step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Returns the last step that has begun. A step with a higher number began after a call.
    pub(crate) fn last_step(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    pub(crate) fn node(&self, key: &K) -> Node {
        Node {
            cache: std::ptr::from_ref(self).cast::<()>() as usize,
            key: self.hasher.hash_one(key),
        }
    }

    pub(crate) fn begin_read(&self, key: &K, far_key: &Key) -> Reading {
        let remote = self.remote.as_ref();
        let hash = remote.map_or(0, |_| envelope::key_hash(far_key));
        Reading {
            generation: self.near.generation(key),
            began: self.clock.now(),
            hash,
            mark: remote.map(|remote| remote.mark(hash)),
        }
    }

    /// Does the same for a load that does not read the far store. None if there is none.
    pub(crate) fn reading_for_load(&self, key: &K) -> Option<Reading> {
        let far = self.far.as_ref()?;
        Some(self.begin_read(key, &far.key(key)))
    }

    /// Runs `keep`, which puts a near copy there, unless another process has invalidated the key
    /// since the read began. Counts a refusal.
    pub(crate) fn keep_if_unchanged(
        &self,
        key: &K,
        reading: &Reading,
        keep: impl FnOnce() -> bool,
    ) -> bool {
        let is_kept = match (&self.remote, reading.mark) {
            (Some(remote), Some(mark)) => {
                let is_near = |key: &K| self.near.peek(key).is_some();
                remote.keep_if_unchanged(reading.hash, key, mark, keep, is_near)
            }
            _ => keep(),
        };
        if !is_kept {
            self.metrics.outdated.increment(1);
        }
        is_kept
    }

    /// Returns whether the near copy of `key` has not ended, and is fresher than one that was loaded
    /// at `loaded_at`.
    pub(crate) fn has_fresher(&self, key: &K, loaded_at: Timestamp) -> bool {
        let held = self.near.peek(key);
        held.is_some_and(|held| self.is_fresher(&held.value, loaded_at))
    }

    pub(crate) fn is_fresher(&self, kept: &Kept<V>, loaded_at: Timestamp) -> bool {
        let now = self.clock.now();
        // A copy that has ended says nothing: the process that wrote it may have a clock that is
        // ahead.
        let is_served = now < kept.near_until && now < kept.times.fresh_until;
        is_served && kept.times.loaded_at > loaded_at
    }

    /// Removes the near copy of `key`, and keeps everything that is being read of it from
    /// becoming one.
    pub(crate) fn invalidate(&self, key: &K) {
        // A leader that stores its value before the first step loses it in the second.
        self.flights.invalidate(key);
        self.near.invalidate(key);
    }

    /// Ends the freshness of the near copy of `key`. It is left only for a load that fails.
    pub(crate) fn expire_near(&self, key: &K) {
        self.flights.invalidate(key);
        let generation = self.near.generation(key);
        let now = self.clock.now();
        let held = self.near.peek(key).map(|held| held.value);
        let left = held.filter(|kept| self.has_fallback() && kept.value.is_some());
        let is_left = left.is_some_and(|mut kept| {
            kept.expire(now);
            self.near
                .put_if_unchanged(key.clone(), kept, now, generation)
        });
        if !is_left {
            self.near.invalidate(key);
        }
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let far = self.inner.far.as_ref();
        f.debug_struct("Cache")
            .field("kind", &self.inner.kind.name())
            .field("far", &far.map(|far| far.store.location()))
            .field("loads_in_flight", &self.inner.flights.in_flight())
            .finish_non_exhaustive()
    }
}
