mod build;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::Capacity;
use larder_store::{Clock, Kind, Store, SystemClock, Ttl};
#[cfg(feature = "msgpack")]
use serde::{Serialize, de::DeserializeOwned};

use crate::batch::{self, Refresh, Refresher};
use crate::cache::CacheKey;
use crate::kept::Kept;
use crate::values::{Check, Packing};
use crate::{Codec, Loaded};

/// Builds a [`Cache`](crate::Cache). [`Cache::builder`](crate::Cache::builder) makes one.
#[must_use]
pub struct CacheBuilder<K, V> {
    kind: Kind,
    ttl: Ttl,
    schema: u32,
    other_schemas: Vec<u32>,
    far: Option<FarStore<V>>,
    store_timeout: Duration,
    max_value: usize,
    pub(crate) packing: Packing,
    pub(crate) check: Option<Check<V>>,
    uses_bus: bool,
    can_clear: bool,
    lease: Ttl,
    near: Capacity<K, Kept<V>>,
    keeps_near: bool,
    near_ttl: Option<Duration>,
    jitter: f64,
    refresh_after: Option<Ttl>,
    refresher: Option<Box<dyn Refresh>>,
    stale_if_error: Option<Ttl>,
    negative_ttl: Option<Ttl>,
    idle_ttl: Option<Ttl>,
    early_refresh: f64,
    load_timeout: Duration,
    soft_timeout: Option<Duration>,
    retry_after: Duration,
    max_retry_after: Duration,
    max_loads: usize,
    shows_key_hashes: bool,
    clock: Arc<dyn Clock>,
}

type FarStore<V> = (Arc<dyn Store>, Arc<dyn Codec<V>>);

/// The longest timeout, a year: much later moments cannot be computed.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The default time for which a lease is held without a renewal.
const LEASE: Ttl = Ttl::from_millis(1_500);

impl<K: CacheKey, V: Send + Sync + 'static> CacheBuilder<K, V> {
    pub(crate) fn new(kind: Kind, ttl: Ttl) -> Self {
        Self {
            kind,
            ttl,
            schema: 0,
            other_schemas: Vec::new(),
            far: None,
            store_timeout: Duration::from_millis(150),
            max_value: 4 * 1024 * 1024,
            packing: Packing::default(),
            check: None,
            uses_bus: true,
            can_clear: false,
            lease: LEASE,
            near: Capacity::Entries(10_000),
            keeps_near: true,
            near_ttl: None,
            jitter: 0.1,
            refresh_after: None,
            refresher: None,
            stale_if_error: None,
            negative_ttl: None,
            idle_ttl: None,
            early_refresh: 1.0,
            load_timeout: Duration::from_secs(10),
            soft_timeout: None,
            retry_after: Duration::from_secs(1),
            max_retry_after: Duration::from_secs(30),
            max_loads: 10_000,
            shows_key_hashes: false,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Adds a far store, with values in [`MsgPack`](crate::MsgPack). Default: none.
    ///
    /// Other processes share it, and this process finds its values there after a restart. A value that the
    /// codec cannot read back is not written to the far store, but kept near: the error of
    /// [`insert`](crate::Cache::insert) and the first log line name the codecs that can.
    #[cfg(feature = "msgpack")]
    pub fn with_far(self, store: Arc<dyn Store>) -> Self
    where
        V: Serialize + DeserializeOwned,
    {
        self.with_far_codec(store, crate::MsgPack)
    }

    /// Adds a far store, with values encoded by `codec`.
    pub fn with_far_codec(mut self, store: Arc<dyn Store>, codec: impl Codec<V>) -> Self {
        self.far = Some((store, Arc::new(codec)));
        self
    }

    /// Adds a hash of the key to spans, as `cache.key`. Default: spans name no key.
    ///
    /// The hash uses a secret of the process, so nobody can find the key by trying, and two processes have
    /// different hashes of one key.
    pub fn with_key_hashes_in_spans(mut self) -> Self {
        self.shows_key_hashes = true;
        self
    }

    /// Sets how long the cache waits for the far store. Default: 150 ms.
    ///
    /// The default is a little longer than the timeout of larder's own stores, so that their more precise
    /// error comes first. It is clamped to 1 ms to 1 hour.
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets the maximum size of a value that is written far or read back, in encoded bytes. Default: 4 MiB.
    ///
    /// A larger value is kept near only. Zero is refused by [`build`](Self::build).
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Sets the schema number of the values, which is part of their far keys. Default: 0.
    ///
    /// A new number makes every far value a miss. In a rolling deployment, an old process and a new one each
    /// see only their own values, and each invalidates only its own: see
    /// [`with_invalidated_schema`](Self::with_invalidated_schema). What an old process has
    /// [written behind](crate::WriteBehind) must be in its source before the last of them ends.
    pub fn with_schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Invalidates the values of another schema number too. Default: none. Call it once for each.
    ///
    /// Without it, a removal in one release does not reach the values of another release that runs at the
    /// same time: they stay until their TTL ends. So before a release that raises the number, deploy the
    /// current release with the next number here, and then the next release with the current number here. A
    /// removal takes no further round trip on one server; in a cluster the keys of an id may be on several
    /// nodes. Tags and [`clear`](crate::Cache::clear) reach every release without it. More than 8 numbers are
    /// refused by [`build`](Self::build).
    pub fn with_invalidated_schema(mut self, schema: u32) -> Self {
        self.other_schemas.push(schema);
        self
    }

    /// Sets the maximum number of entries of the near tier. Default: 10,000.
    ///
    /// Zero is refused by [`build`](Self::build).
    pub fn with_max_near_entries(mut self, entries: u64) -> Self {
        self.near = Capacity::Entries(entries);
        self
    }

    /// Limits the near tier by weight instead of by entries, in a unit of your own such as bytes. Default: by entries.
    ///
    /// Of this and [`with_max_near_entries`](Self::with_max_near_entries), the last call counts.
    ///
    /// `weigh` must return the same weight for the same value, must be quick, and must not call the
    /// cache: it runs under a lock. A weight of 0 counts as 1, and an entry that is heavier than
    /// its shard of the near tier is not kept near. Zero is refused by [`build`](Self::build).
    pub fn with_max_near_weight(
        mut self,
        weight: u64,
        weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static,
    ) -> Self {
        let weigh = move |key: &K, kept: &Kept<V>| match &kept.value {
            Some(value) => weigh(key, value),
            None => 1,
        };
        self.near = Capacity::Weight(weight, Arc::new(weigh));
        self
    }

    /// Turns off the near tier: every read goes to the far store. Default: the near tier is on.
    ///
    /// A read then never returns a value whose invalidation was acknowledged before the read began. Each read
    /// takes a round trip. So if the far store cannot be read, no stale value is served either. Without a far
    /// store it is refused by [`build`](Self::build).
    pub fn without_near(mut self) -> Self {
        self.keeps_near = false;
        self
    }

    /// Turns off invalidation messages between processes. Default: they are sent and received over the bus of
    /// the far store, if it has one.
    ///
    /// It saves a round trip for each invalidation. Near copies in other processes then stay until their near
    /// TTL ends.
    pub fn without_bus(mut self) -> Self {
        self.uses_bus = false;
        self
    }

    /// Sets how long a lease is held without a renewal. Default: 1.5 s.
    ///
    /// A process renews the lease of a running load every third of that time. If the process is killed or
    /// stalls, another one takes over when the time has passed, and the late value is refused.
    pub fn with_lease(mut self, hold: Ttl) -> Self {
        self.lease = hold;
        self
    }

    /// Sets how long a copy may stay in the near tier. Default: 30 s, or the TTL if that is shorter.
    ///
    /// It limits how stale a value in this process can be after another process has written or removed the
    /// key. Without a far store there is no such limit by default. It is rounded up to milliseconds. Zero is
    /// refused by [`build`](Self::build): [`without_near`](Self::without_near) keeps nothing near.
    pub fn with_near_ttl(mut self, ttl: Duration) -> Self {
        self.near_ttl = Some(ttl);
        self
    }

    /// Sets the age at which a value is refreshed in the background and still served. Default: none.
    ///
    /// From this age on, the first reader begins the refresh with its own loader, and readers get the cached
    /// value; from the TTL on, they wait for the load. An age past the TTL has no effect.
    pub fn with_refresh_after(mut self, age: Ttl) -> Self {
        self.refresh_after = Some(age);
        self
    }

    /// Refreshes due values in batches, with a loader of many values.
    ///
    /// Refreshes are gathered for `wait`, or until there are `max` of them. The loader works like that of
    /// [`get_or_load_many`](crate::Cache::get_or_load_many). It replaces the callers' loaders for refreshes
    /// in the background, and lets reads without a loader begin refreshes too. Default: each refresh runs the
    /// loader of the caller who begins it. A `max` of zero is refused by [`build`](Self::build).
    pub fn with_batch_refresh<F, Fut, L, E>(mut self, max: usize, wait: Duration, load: F) -> Self
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<(K, Result<L, E>)>, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.refresher = Some(Box::new(Refresher::new(batch::erase(load), max, wait)));
        self
    }

    /// Sets the factor of early refresh, from 0, which is off, to 100. Default: 1.
    ///
    /// Shortly before a value ends, a reader refreshes it in the background, with a probability of
    /// `e^(-left / (factor * load))`, where `load` is how long its load took. So a hot value is
    /// replaced before it ends, by one reader among many (the algorithm is known as XFetch).
    pub fn with_early_refresh(mut self, factor: f64) -> Self {
        self.early_refresh = factor;
        self
    }

    /// Serves a value for this long after its TTL if a load fails. Default: never.
    ///
    /// The value is served after an error, a panic or a timeout of the loader, but not if the source has no
    /// value. Loads are then tried again after a [pause](Self::with_retry_after).
    pub fn with_stale_if_error(mut self, ttl: Ttl) -> Self {
        self.stale_if_error = Some(ttl);
        self
    }

    /// Sets how long callers wait for a load if a stale value may be served instead. Default: as long as the
    /// load timeout.
    ///
    /// The load goes on. [`build`](Self::build) refuses this without
    /// [`with_stale_if_error`](Self::with_stale_if_error).
    pub fn with_soft_timeout(mut self, timeout: Duration) -> Self {
        self.soft_timeout = Some(timeout);
        self
    }

    /// Sets the pause after the first failed load while a stale value can be served, and the longest pause.
    /// Default: 1 s and 30 s.
    ///
    /// The pause doubles with each failure in a row, and up to a quarter is taken off at random. More than a year
    /// is treated as a year.
    pub fn with_retry_after(mut self, first: Duration, longest: Duration) -> Self {
        (self.retry_after, self.max_retry_after) = (first, longest);
        self
    }

    /// Caches for this long the fact that the source has no value. Default: it is not cached.
    pub fn with_negative_ttl(mut self, ttl: Ttl) -> Self {
        self.negative_ttl = Some(ttl);
        self
    }

    /// Removes a value that nobody has read for this long. Default: values live for their TTL.
    ///
    /// Reads prolong its life, but never past its TTL: sliding expiry with an absolute end. A near hit in the
    /// first half of that time is not recorded, so that it costs nothing: after its last read a value lives for
    /// at least half of `ttl`, and for `ttl` at most. A near hit in the second half takes a round trip, and so
    /// does each far hit; nobody waits for it. It cannot be combined with
    /// [`with_stale_if_error`](Self::with_stale_if_error).
    pub fn with_idle_ttl(mut self, ttl: Ttl) -> Self {
        self.idle_ttl = Some(ttl);
        self
    }

    /// Sets the largest part of a TTL that is taken off at random, from 0 to 1. Default: 0.1.
    ///
    /// So values that were loaded together do not end together. A value never lives longer than its TTL.
    pub fn with_jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Sets how long a load may take, and how long its callers wait for it. Default: 10 s.
    ///
    /// The time includes the far read before the load. Zero is refused by [`build`](Self::build); more than a
    /// year is treated as a year.
    pub fn with_load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// Sets how many loads may run at once, each for a different key. Default: 10,000.
    ///
    /// Any further load is refused with [`LoadError::Overloaded`](crate::LoadError::Overloaded).
    pub fn with_max_loads(mut self, loads: usize) -> Self {
        self.max_loads = loads;
        self
    }

    /// Lets [`clear`](crate::Cache::clear) remove all far values of the cache with one write.
    ///
    /// Each value then carries a tag of the cache, in addition to at most 15 of its own.
    pub fn with_clear(mut self) -> Self {
        self.can_clear = true;
        self
    }

    /// Sets the clock that measures TTLs, for tests. Default: the system's.
    ///
    /// Timeouts are measured by tokio's clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("kind", &self.kind)
            .field("ttl", &self.ttl)
            .field("schema", &self.schema)
            .field("has_far", &self.far.is_some())
            .finish_non_exhaustive()
    }
}
