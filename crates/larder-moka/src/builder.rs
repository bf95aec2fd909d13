use std::fmt;

use larder_store::wait::{DEFAULT_MAX_WAITERS, Waiters};
use larder_store::{Clock, DEFAULT_MAX_VALUE, Kind, SystemClock};

use crate::MokaStore;
use crate::bus::Subscribers;
use crate::cache::CacheSpace;
use crate::leases::LeaseTable;
use crate::pinned::Pinned;

/// The default maximum size of the cache space: 64 MiB.
pub const DEFAULT_MAX_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// The default maximum number of keys of each pinned kind: 100,000.
pub const DEFAULT_MAX_KEYS_PER_KIND: usize = 100_000;

/// The default maximum number of leases held at once: 100,000.
pub const DEFAULT_MAX_LEASES: usize = 100_000;

/// The default maximum number of subscriptions: 10,000.
pub const DEFAULT_MAX_SUBSCRIPTIONS: usize = 10_000;

/// The settings of a [`MokaStore`]. [`MokaStore::builder`] makes it.
///
/// ```
/// use larder_moka::MokaStore;
/// use larder_store::Kind;
///
/// const SESSION: Kind = Kind::record("session");
///
/// let store = MokaStore::builder()
///     .with_max_cache_bytes(256 * 1024 * 1024)
///     .with_max_keys_of(SESSION, 1_000_000)
///     .build();
/// ```
#[must_use]
pub struct MokaStoreBuilder {
    max_cache_bytes: u64,
    max_keys_per_kind: usize,
    max_keys: Vec<(Kind, usize)>,
    max_leases: usize,
    max_subscriptions: usize,
    max_waiters: usize,
    max_value: usize,
    clock: Box<dyn Clock>,
}

impl fmt::Debug for MokaStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MokaStoreBuilder")
            .field("max_cache_bytes", &self.max_cache_bytes)
            .field("max_keys_per_kind", &self.max_keys_per_kind)
            .field("max_keys", &self.max_keys)
            .field("max_leases", &self.max_leases)
            .field("max_subscriptions", &self.max_subscriptions)
            .field("max_waiters", &self.max_waiters)
            .field("max_value", &self.max_value)
            .finish_non_exhaustive()
    }
}

impl MokaStoreBuilder {
    /// Limits the cache space to `bytes`. The default is [`DEFAULT_MAX_CACHE_BYTES`].
    ///
    /// All evictable values share it. An entry counts with the length of its key, the length of its
    /// value, and [`ENTRY_OVERHEAD`](crate::ENTRY_OVERHEAD). An entry larger than the whole space is
    /// refused with [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge); at 0 every entry is.
    pub fn with_max_cache_bytes(mut self, bytes: u64) -> Self {
        self.max_cache_bytes = bytes;
        self
    }

    /// Limits each pinned kind to `keys` keys. The default is [`DEFAULT_MAX_KEYS_PER_KIND`].
    ///
    /// It applies to kinds without a maximum of their own, and to each partition of a
    /// [partitioned](Kind::partitioned) kind. A write that would exceed it is refused with
    /// [`Refusal::Full`](larder_store::Refusal::Full).
    ///
    /// It counts keys, not bytes: a kind of values takes at most keys × largest value.
    pub fn with_max_keys_per_kind(mut self, keys: usize) -> Self {
        self.max_keys_per_kind = keys;
        self
    }

    /// Limits one pinned kind, of values or of records, to `keys` keys.
    ///
    /// It takes precedence over [`with_max_keys_per_kind`](Self::with_max_keys_per_kind). For a
    /// [partitioned](Kind::partitioned) kind it limits each partition, such as each policy of a rate
    /// limit. The first [`MAX_PARTITIONS`](crate::MAX_PARTITIONS) partitions are kept apart; later ones
    /// share one.
    ///
    /// For an evictable kind it has no effect: those share
    /// [`with_max_cache_bytes`](Self::with_max_cache_bytes).
    pub fn with_max_keys_of(mut self, kind: Kind, keys: usize) -> Self {
        self.max_keys.retain(|(other, _)| *other != kind);
        self.max_keys.push((kind, keys));
        self
    }

    /// Limits the length of a value to `bytes`. The default is [`DEFAULT_MAX_VALUE`].
    ///
    /// A longer value is refused with [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge).
    /// Records are not measured.
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Limits the leases held at once to `number`. The default is [`DEFAULT_MAX_LEASES`].
    ///
    /// A claim that would exceed it is refused with [`Refusal::Full`](larder_store::Refusal::Full). A
    /// lease whose time has passed does not count.
    pub fn with_max_leases(mut self, number: usize) -> Self {
        self.max_leases = number;
        self
    }

    /// Limits the subscriptions of the bus to `number`. The default is
    /// [`DEFAULT_MAX_SUBSCRIPTIONS`].
    ///
    /// A subscription counts once for each of its channels and topics. A subscription that would exceed
    /// the maximum is refused with [`Refusal::Full`](larder_store::Refusal::Full).
    pub fn with_max_subscriptions(mut self, number: usize) -> Self {
        self.max_subscriptions = number;
        self
    }

    /// Limits the tasks that wait for a record at the same time. The default is
    /// [`DEFAULT_MAX_WAITERS`].
    ///
    /// Any further waiter is refused with [`Refusal::Full`](larder_store::Refusal::Full).
    pub fn with_max_waiters(mut self, number: usize) -> Self {
        self.max_waiters = number;
        self
    }

    /// Reads the time from `clock`. The default is a [`SystemClock`].
    ///
    /// The store uses no other clock, so a [`ManualClock`](larder_store::ManualClock) ends every TTL
    /// exactly.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Creates the store.
    #[must_use]
    pub fn build(self) -> MokaStore {
        MokaStore::from_parts(
            CacheSpace::new(self.max_cache_bytes),
            Pinned::new(self.max_keys_per_kind, self.max_keys),
            LeaseTable::new(self.max_leases),
            Subscribers::new(self.max_subscriptions),
            Waiters::new(self.max_waiters),
            self.max_value,
            self.clock,
        )
    }
}

impl Default for MokaStoreBuilder {
    fn default() -> Self {
        Self {
            max_cache_bytes: DEFAULT_MAX_CACHE_BYTES,
            max_keys_per_kind: DEFAULT_MAX_KEYS_PER_KIND,
            max_keys: Vec::new(),
            max_leases: DEFAULT_MAX_LEASES,
            max_subscriptions: DEFAULT_MAX_SUBSCRIPTIONS,
            max_waiters: DEFAULT_MAX_WAITERS,
            max_value: DEFAULT_MAX_VALUE,
            clock: Box::new(SystemClock::default()),
        }
    }
}
