use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use larder_layer::{Capacity, NearCache, SingleFlight, StoreTimeout};
use larder_store::{
    Clock, Content, Error, ErrorKind, Kind, Result, Space, Store, SystemClock, Ttl,
};
#[cfg(feature = "msgpack")]
use serde::{Serialize, de::DeserializeOwned};

use crate::Codec;
use crate::cache::{Cache, CacheKey, Inner};
use crate::far::Far;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::write_locks::WriteLocks;

/// Builds a [`Cache`]. [`Cache::builder`] makes one.
#[must_use]
pub struct CacheBuilder<K, V> {
    kind: Kind,
    ttl: Ttl,
    schema: u32,
    far: Option<FarStore<V>>,
    far_timeout: Duration,
    max_value: usize,
    near: Capacity<K, Arc<V>>,
    near_ttl: Option<Ttl>,
    jitter: f64,
    load_timeout: Duration,
    max_loads: usize,
    clock: Arc<dyn Clock>,
}

type FarStore<V> = (Arc<dyn Store>, Arc<dyn Codec<V>>);

/// The default near TTL of a cache that has a far store.
const NEAR_TTL: Ttl = Ttl::from_secs(30);

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
            near: Capacity::Entries(10_000),
            near_ttl: None,
            jitter: 0.1,
            load_timeout: Duration::from_secs(10),
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
        self.near = Capacity::Weight(weight, Arc::new(move |key, value| weigh(key, value)));
        self
    }

    /// Sets how long a copy may stay near. Default: 30 s, or the TTL if that is shorter.
    ///
    /// It bounds how stale this process can be after another one has written or removed the key.
    /// Without a far store the default is the TTL.
    pub fn with_near_ttl(mut self, ttl: Ttl) -> Self {
        self.near_ttl = Some(ttl);
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
            (None, None) => self.ttl,
        };
        let far = self.far.map(|(store, codec)| Far {
            kind: self.kind,
            schema: self.schema,
            store,
            codec,
            timeout: StoreTimeout::new(self.far_timeout.min(MAX_TIMEOUT), None),
            max_value: self.max_value,
            locks: WriteLocks::new(),
            refusal_logged: AtomicBool::new(false),
        });
        Ok(Cache::from_inner(Inner {
            kind: self.kind,
            near: NearCache::new(self.near),
            far,
            flights: SingleFlight::new(self.max_loads),
            lifetime: Lifetime {
                ttl: self.ttl,
                near: near_ttl,
                jitter: self.jitter,
            },
            load_timeout: self.load_timeout.min(MAX_TIMEOUT),
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
            } else {
                return Ok(());
            };
        let detail = format!("cache of kind '{}': {wrong}", self.kind.name());
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }
}
