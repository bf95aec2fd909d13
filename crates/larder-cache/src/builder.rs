use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_layer::tags::{Tag, Tags};
use larder_layer::{Capacity, NearCache, SingleFlight, StoreHealth, StoreTimeout};
use larder_store::{
    Clock, Content, Error, ErrorKind, Kind, Result, Space, Store, SystemClock, Ttl,
};
use metrics::counter;
#[cfg(feature = "msgpack")]
use serde::{Serialize, de::DeserializeOwned};

use crate::batch::{self, BatchLoader, Refresher};
use crate::breaker::Breaker;
use crate::cache::{Cache, CacheKey, Inner};
use crate::far::Far;
use crate::kept::Kept;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::pending::Pending;
use crate::remote::Remote;
use crate::tags::{FarTags, PendingTags};
use crate::values::{Check, Packing};
use crate::write_locks::WriteLocks;
use crate::{Codec, Loaded};

/// Builds a [`Cache`]. [`Cache::builder`] makes one.
#[must_use]
pub struct CacheBuilder<K, V> {
    kind: Kind,
    ttl: Ttl,
    schema: u32,
    far: Option<FarStore<V>>,
    far_timeout: Duration,
    max_value: usize,
    pub(crate) packing: Packing,
    pub(crate) check: Option<Check<V>>,
    uses_bus: bool,
    can_clear: bool,
    lease: Ttl,
    near: Capacity<K, Kept<V>>,
    keeps_near: bool,
    near_ttl: Option<Ttl>,
    jitter: f64,
    refresh_after: Option<Ttl>,
    refresher: Option<(BatchLoader<K, V>, usize, Duration)>,
    stale_if_error: Option<Ttl>,
    negative_ttl: Option<Ttl>,
    idle_ttl: Option<Ttl>,
    early_refresh: f64,
    load_timeout: Duration,
    soft_timeout: Option<Duration>,
    retry_after: Ttl,
    max_retry_after: Ttl,
    max_loads: usize,
    clock: Arc<dyn Clock>,
}

type FarStore<V> = (Arc<dyn Store>, Arc<dyn Codec<V>>);

/// The default near TTL of a cache that has a far store.
const NEAR_TTL: Ttl = Ttl::from_secs(30);

/// The default time for which a lease is held without a renewal.
const LEASE: Ttl = Ttl::from_millis(1_500);

/// The longest timeout, a year: a moment much later cannot be computed.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<K: CacheKey, V: Send + Sync + 'static> CacheBuilder<K, V> {
    pub(crate) fn new(kind: Kind, ttl: Ttl) -> Self {
        Self {
            kind,
            ttl,
            schema: 0,
            far: None,
            far_timeout: Duration::from_millis(150),
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
            retry_after: Ttl::from_secs(1),
            max_retry_after: Ttl::from_secs(30),
            max_loads: 10_000,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Adds a far store, with values in [`MsgPack`](crate::MsgPack). Default: none.
    ///
    /// Other processes share it, and so does this one after a restart. A value that the codec
    /// cannot read back is refused when it is written, and stays near: the error of
    /// [`insert`](Cache::insert) and the first log line name the codecs that can.
    #[cfg(feature = "msgpack")]
    pub fn with_far(self, store: Arc<dyn Store>) -> Self
    where
        V: Serialize + DeserializeOwned,
    {
        self.with_far_codec(store, crate::MsgPack)
    }

    /// Adds a far store, with values in this codec.
    pub fn with_far_codec(mut self, store: Arc<dyn Store>, codec: impl Codec<V>) -> Self {
        self.far = Some((store, Arc::new(codec)));
        self
    }

    /// Sets how long the cache waits for the far store. Default: 150 ms.
    ///
    /// The default is a little longer than the timeout of larder's own stores, so that their more
    /// precise error comes first. Zero is refused by [`build`](Self::build); more than a year counts
    /// as a year.
    pub fn with_far_timeout(mut self, timeout: Duration) -> Self {
        self.far_timeout = timeout;
        self
    }

    /// Sets the largest value that is written far or read back, in encoded bytes. Default: 4 MiB.
    ///
    /// A larger one stays near. Zero is refused by [`build`](Self::build).
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Sets the schema number of the values, which is part of their far keys. Default: 0.
    ///
    /// Another number makes all far values misses. In a rolling deployment an old process and a new
    /// one each see only their own values.
    pub fn with_schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Sets the number of entries that the near tier holds. Default: 10,000.
    ///
    /// Zero is refused by [`build`](Self::build).
    pub fn with_max_near_entries(mut self, entries: u64) -> Self {
        self.near = Capacity::Entries(entries);
        self
    }

    /// Sets the weight that the near tier holds, in a unit of your own such as bytes.
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

    /// Keeps nothing near: every read goes to the far store. Default: values are kept near.
    ///
    /// A read then never returns a value whose invalidation was acknowledged before it. Each read
    /// takes a round trip. Without a far store it is refused by [`build`](Self::build).
    pub fn without_near(mut self) -> Self {
        self.keeps_near = false;
        self
    }

    /// Neither tells other processes about invalidations nor hears of theirs. Default: the bus of
    /// the far store is used, if it has one.
    ///
    /// It saves a round trip for each invalidation. Near copies in other processes then stay until
    /// their near TTL ends.
    pub fn without_bus(mut self) -> Self {
        self.uses_bus = false;
        self
    }

    /// Sets how long a lease is held without a renewal. Default: 1.5 s.
    ///
    /// A process that loads renews its lease every third of that. If it is killed or stalls, another
    /// one takes over when the time has passed, and the late value is refused.
    pub fn with_lease(mut self, hold: Ttl) -> Self {
        self.lease = hold;
        self
    }

    /// Sets how long a copy may stay near. Default: 30 s, or the TTL if that is shorter.
    ///
    /// It bounds how stale this process can be after another one has written or removed the key.
    /// Without a far store there is no such bound by default.
    pub fn with_near_ttl(mut self, ttl: Ttl) -> Self {
        self.near_ttl = Some(ttl);
        self
    }

    /// Sets the age at which a value is refreshed in the background, while it is served on. Default:
    /// none.
    ///
    /// It is the first of two ages: at the TTL, which is the second, readers wait for the load. The
    /// first reader after this age begins the refresh with its own loader. An age past the TTL has no
    /// effect.
    pub fn with_refresh_after(mut self, age: Ttl) -> Self {
        self.refresh_after = Some(age);
        self
    }

    /// Loads what is due for a refresh in batches, with a loader of many values.
    ///
    /// Refreshes are gathered for `wait`, or until there are `max` of them. The loader is as that of
    /// [`get_or_load_many`](Cache::get_or_load_many). It replaces the loaders of callers for refreshes
    /// in the background, and refreshes for reads without a loader too. Default: each refresh runs the
    /// loader of the caller who begins it. Zero for `max` is refused by [`build`](Self::build).
    pub fn with_batch_refresh<F, Fut, L, E>(mut self, max: usize, wait: Duration, load: F) -> Self
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<(K, Result<L, E>)>, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.refresher = Some((batch::erase(load), max, wait));
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

    /// Serves a value for so long after its TTL if a load fails. Default: never.
    ///
    /// An error, a panic or a timeout of the loader serves it; that the source has no value does not.
    /// Loads are then tried again after a [pause](Self::with_retry_after).
    pub fn with_stale_if_error(mut self, ttl: Ttl) -> Self {
        self.stale_if_error = Some(ttl);
        self
    }

    /// Sets how long a load is waited for if a stale value may be served instead. Default: as long
    /// as the load timeout.
    ///
    /// The load goes on. It needs [`with_stale_if_error`](Self::with_stale_if_error), or
    /// [`build`](Self::build) refuses it.
    pub fn with_soft_timeout(mut self, timeout: Duration) -> Self {
        self.soft_timeout = Some(timeout);
        self
    }

    /// Sets the pause after a first failed load while there is something to serve, and the longest
    /// pause. Default: 1 s and 30 s.
    ///
    /// It doubles with each failure in a row, and up to a quarter is taken off at random.
    pub fn with_retry_after(mut self, first: Ttl, longest: Ttl) -> Self {
        (self.retry_after, self.max_retry_after) = (first, longest);
        self
    }

    /// Caches for so long that the source has no value. Default: it is not cached.
    pub fn with_negative_ttl(mut self, ttl: Ttl) -> Self {
        self.negative_ttl = Some(ttl);
        self
    }

    /// Ends a value that nobody has read for so long. Default: values live for their TTL.
    ///
    /// Each read prolongs it, but never past its TTL: sliding expiry with an absolute end. A near
    /// hit in the second half of that time takes a round trip, and so does each far hit; nobody waits
    /// for it. It cannot be
    /// combined with [`with_stale_if_error`](Self::with_stale_if_error).
    pub fn with_idle_ttl(mut self, ttl: Ttl) -> Self {
        self.idle_ttl = Some(ttl);
        self
    }

    /// Sets the largest part of a TTL that is taken off at random, from 0 to 1. Default: 0.1.
    ///
    /// Values that were loaded together then do not end together. A value never lives longer than
    /// its TTL.
    pub fn with_jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Sets how long a load may take, and how long its callers wait for it. Default: 10 s.
    ///
    /// The time includes the far read before the load. Zero is refused by [`build`](Self::build);
    /// more than a year counts as a year.
    pub fn with_load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// Sets how many loads may run at once, each for a key of its own. Default: 10,000.
    ///
    /// One more is refused with [`LoadError::Overloaded`](crate::LoadError::Overloaded).
    pub fn with_max_loads(mut self, loads: usize) -> Self {
        self.max_loads = loads;
        self
    }

    /// Lets [`clear`](Cache::clear) remove all far values of the cache by one write.
    ///
    /// Each value then carries a tag of the cache, beside at most 15 of its own.
    pub fn with_clear(mut self) -> Self {
        self.can_clear = true;
        self
    }

    /// Sets the clock that TTLs are measured by, for tests. Default: the system's.
    ///
    /// Timeouts are measured by tokio's clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the cache. Its metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the kind was not made by [`Kind::evictable`], the jitter is not
    /// from 0 to 1, or a capacity, a timeout or a cap is zero.
    pub fn build(self) -> Result<Cache<K, V>> {
        self.check()?;
        let near_ttl = match (self.near_ttl, &self.far) {
            (Some(asked), _) => asked,
            (None, Some(_)) => NEAR_TTL,
            // A loader may choose a longer TTL than the cache's.
            (None, None) => Ttl::MAX,
        };
        let timeout = StoreTimeout::new(self.far_timeout.min(MAX_TIMEOUT), None);
        let bus = self.far.as_ref().filter(|_| self.uses_bus);
        let remote = bus
            .and_then(|(store, _)| store.clone().bus())
            .map(|bus| Remote::new(bus, self.kind, timeout));
        let programs = self
            .far
            .as_ref()
            .and_then(|(store, _)| store.clone().programs());
        let far_tags = programs.map(|programs| FarTags {
            client: Tags::new(
                programs,
                bus.and_then(|(store, _)| store.clone().bus()),
                timeout,
                if self.keeps_near {
                    // A near copy of a tagged value lives for the other half.
                    Duration::from(near_ttl) / 2
                } else {
                    Duration::ZERO
                },
            ),
            pending: PendingTags::default(),
            keep: tag_memory(self.load_timeout),
        });
        let far = self.far.map(|(store, codec)| Far {
            kind: self.kind,
            schema: self.schema,
            leases: store.clone().leases(),
            store,
            idle: self.idle_ttl,
            hold: self.lease,
            codec,
            timeout,
            max_value: self.max_value,
            packing: self.packing,
            check: self.check,
            rejected: counter!("larder_cache_rejected_total", "kind" => self.kind.name()),
            tags: far_tags,
            locks: WriteLocks::new(),
            breaker: Breaker::new(self.clock.clone()),
            health: StoreHealth::new(format!("cache '{}'", self.kind.name())),
            refusal_logged: AtomicBool::new(false),
        });
        Ok(Cache::from_inner(Inner {
            kind: self.kind,
            near: NearCache::new(self.near),
            keeps_near: self.keeps_near,
            far,
            remote,
            pending: Pending::new(),
            clear_tag: self.can_clear.then(|| clear_tag(self.kind)),
            flights: SingleFlight::new(self.max_loads),
            refresher: self
                .refresher
                .map(|(load, max, wait)| Refresher::new(load, max, wait)),
            lifetime: Lifetime {
                ttl: self.ttl,
                near: near_ttl,
                jitter: self.jitter,
                refresh_after: self.refresh_after,
                stale_if_error: self.stale_if_error,
                negative: self.negative_ttl,
                idle: self.idle_ttl,
                early_refresh: self.early_refresh,
            },
            load_timeout: self.load_timeout.min(MAX_TIMEOUT),
            soft_timeout: self.soft_timeout,
            retry_after: self.retry_after,
            max_retry_after: self.max_retry_after,
            steps: AtomicU64::new(0),
            hasher: RandomState::default(),
            clock: self.clock,
            metrics: Metrics::new(self.kind),
        }))
    }

    fn check(&self) -> Result<()> {
        let near = match self.near {
            Capacity::Entries(capacity) | Capacity::Weight(capacity, _) => capacity,
        };
        let wrong =
            if self.kind.space() != Space::Evictable || self.kind.content() != Content::Value {
                "make its kind with Kind::evictable, because a cache may lose any value"
            } else if !(0.0..=1.0).contains(&self.jitter) {
                "the jitter must be from 0 to 1"
            } else if near == 0 {
                "the near capacity must be at least 1"
            } else if self.max_value == 0 {
                "the cap on the bytes of a far value must be at least 1"
            } else if self.max_loads == 0 {
                "the cap on loads must be at least 1"
            } else if self.far_timeout.is_zero() {
                "the far timeout must be longer than zero"
            } else if self.load_timeout.is_zero() {
                "the load timeout must be longer than zero"
            } else if !self.keeps_near && self.far.is_none() {
                "without a near tier it needs a far store"
            } else if !(0.0..=100.0).contains(&self.early_refresh) {
                "the factor of early refresh must be from 0 to 100"
            } else if self.refresher.as_ref().is_some_and(|(_, max, _)| *max == 0) {
                "a batch of refreshes must hold at least 1"
            } else if self.soft_timeout.is_some() && self.stale_if_error.is_none() {
                "a soft timeout needs with_stale_if_error, which says what is served after it"
            } else if self.idle_ttl.is_some() && self.stale_if_error.is_some() {
                "an idle TTL cannot be combined with stale-if-error"
            } else if self.retry_after > self.max_retry_after {
                "the first pause after a failed load must not be longer than the longest"
            } else {
                return Ok(());
            };
        let detail = format!("cache of kind '{}': {wrong}", self.kind.name());
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }
}

/// Returns the tag that every value of a cache carries. No tag of an app begins so.
fn clear_tag(kind: Kind) -> Tag {
    Tag::new(&format!("\0cache:{}", kind.name()))
}

/// Returns how long a change of a tag is remembered: longer than any load runs.
fn tag_memory(load_timeout: Duration) -> Ttl {
    let least = Duration::from_secs(60 * 60);
    let micros = load_timeout.min(MAX_TIMEOUT).saturating_mul(2).max(least);
    Ttl::covering_micros(i64::try_from(micros.as_micros()).unwrap_or(i64::MAX))
}
