use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_store::{Clock, Error, ErrorKind, Form, Kind, Result, Space, Store, SystemClock, Ttl};
#[cfg(feature = "msgpack")]
use serde::{Serialize, de::DeserializeOwned};

use crate::Codec;
use crate::cache::{Cache, CacheKey, Inner};
use crate::far::{Far, Gates};
use crate::flight::Airspace;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::near::{Capacity, Near};
use crate::stripes::Stripes;

/// Makes a [`Cache`]: [`Cache::builder`] begins one, [`build`](Self::build) ends it.
#[must_use]
pub struct Builder<K, V> {
    kind: Kind,
    ttl: Ttl,
    schema: u32,
    far: Option<FarStore<V>>,
    far_deadline: Duration,
    max_value: usize,
    near: Capacity<K, V>,
    near_ttl: Option<Ttl>,
    jitter: f64,
    load_deadline: Duration,
    max_loads: usize,
    clock: Arc<dyn Clock>,
}

type FarStore<V> = (Arc<dyn Store>, Arc<dyn Codec<V>>);

/// How long a copy stays near, unless the cache is told otherwise, where there is a far store.
const NEAR_TTL: Ttl = Ttl::from_secs(30);

/// The longest that anything waits, a year: a moment much later cannot be computed.
const MAX_DEADLINE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<K: CacheKey, V: Send + Sync + 'static> Builder<K, V> {
    pub(crate) fn new(kind: Kind, ttl: Ttl) -> Self {
        Self {
            kind,
            ttl,
            schema: 0,
            far: None,
            far_deadline: Duration::from_millis(150),
            max_value: 4 * 1024 * 1024,
            near: Capacity::Entries(10_000),
            near_ttl: None,
            jitter: 0.1,
            load_deadline: Duration::from_secs(10),
            max_loads: 10_000,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Adds a far store, which other processes and the next start of this one share, with values
    /// in [`MsgPack`](crate::MsgPack). Default: none.
    ///
    /// A value that this codec cannot give back is refused when it is written, and stays near: the
    /// error of [`insert`](Cache::insert), and what is logged at the first one, name the codecs
    /// that can.
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

    /// How long the far store may take for an answer. Default: 150 ms, a little more than
    /// larder's own stores allow themselves, so that their error, which says more, comes first.
    /// Zero is refused when the cache is built, and more than a year is a year.
    pub fn with_far_deadline(mut self, deadline: Duration) -> Self {
        self.far_deadline = deadline;
        self
    }

    /// The largest value that is written far or read back, in bytes as encoded. Default: 4 MiB.
    ///
    /// A larger one stays near alone. Zero is refused when the cache is built.
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// The number of the value's schema, which is part of its far key. Default: 0.
    ///
    /// Another number makes all far values misses; an old process and a new one, side by side in a
    /// rolling deployment, each see their own.
    pub fn with_schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// How many entries the near tier holds. Default: 10,000.
    pub fn with_near_capacity(mut self, entries: u64) -> Self {
        self.near = Capacity::Entries(entries);
        self
    }

    /// How much the near tier holds, in a weight of your own, such as bytes.
    ///
    /// `weigh` is called once for each value that is stored, under a lock: it must be quick, and
    /// must not call the cache.
    pub fn with_near_weight(
        mut self,
        weight: u64,
        weigh: impl Fn(&K, &V) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.near = Capacity::Weight(weight, Arc::new(weigh));
        self
    }

    /// How long a copy may stay near: how stale this process can be after another one has written
    /// or removed the key. Default: 30 s, or the TTL if that is shorter; without a far store, the
    /// TTL.
    pub fn with_near_ttl(mut self, ttl: Ttl) -> Self {
        self.near_ttl = Some(ttl);
        self
    }

    /// The largest part of a TTL that is taken off at random, from 0 to 1, so that what was loaded
    /// together does not end together. Default: 0.1. A value never lives longer than asked.
    pub fn with_jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// How long callers wait for a load, and how long a load may take with the far read before
    /// it. Default: 10 s. Zero is refused when the cache is built, and more than a year is a year.
    pub fn with_load_deadline(mut self, deadline: Duration) -> Self {
        self.load_deadline = deadline;
        self
    }

    /// How many loads may run at once, each for a key of its own. Default: 10,000. One more is
    /// [`LoadError::Overloaded`](crate::LoadError::Overloaded).
    pub fn with_max_loads(mut self, loads: usize) -> Self {
        self.max_loads = loads;
        self
    }

    /// The clock that TTLs are measured by, for tests. Default: the system's.
    ///
    /// The deadlines of waits are tokio's.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The cache. Its metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the kind is not an evictable one of values, the jitter is not
    /// from 0 to 1, or a capacity, a deadline or a cap is zero.
    pub fn build(self) -> Result<Cache<K, V>> {
        self.check()?;
        let hasher = RandomState::default();
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
            deadline: self.far_deadline.min(MAX_DEADLINE),
            max_value: self.max_value,
            gates: Gates::new(),
            refusal_logged: AtomicBool::new(false),
        });
        Ok(Cache::from_inner(Inner {
            kind: self.kind,
            near: Near::new(self.near, hasher.clone()),
            far,
            stripes: Stripes::new(hasher),
            airspace: Airspace::new(self.max_loads),
            lifetime: Lifetime {
                ttl: self.ttl,
                near: near_ttl,
                jitter: self.jitter,
            },
            load_deadline: self.load_deadline.min(MAX_DEADLINE),
            clock: self.clock,
            metrics: Metrics::new(self.kind),
        }))
    }

    fn check(&self) -> Result<()> {
        let near = match self.near {
            Capacity::Entries(capacity) | Capacity::Weight(capacity, _) => capacity,
        };
        let wrong = if self.kind.space() != Space::Evictable || self.kind.form() != Form::Value {
            "its kind must be made by Kind::evictable: a cache may lose any value"
        } else if !(0.0..=1.0).contains(&self.jitter) {
            "the jitter must be from 0 to 1"
        } else if near == 0 {
            "the near capacity must not be zero"
        } else if self.max_value == 0 {
            "the cap on the bytes of a far value must not be zero"
        } else if self.max_loads == 0 {
            "the cap on loads must not be zero"
        } else if self.far_deadline.is_zero() || self.load_deadline.is_zero() {
            "a deadline must not be zero"
        } else {
            return Ok(());
        };
        let detail = format!("cache of kind '{}': {wrong}", self.kind.name());
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }
}
