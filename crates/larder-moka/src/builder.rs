use larder_store::{Clock, DEFAULT_MAX_VALUE, Kind, SystemClock};

use crate::MokaStore;
use crate::bus::Board;
use crate::cache::CacheSpace;
use crate::leases::LeaseTable;
use crate::pinned::Pinned;

/// How many bytes the cache space holds unless the store is told otherwise: 64 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How many keys each pinned kind holds unless the store is told otherwise: 100,000.
pub const DEFAULT_PINNED_CAP: usize = 100_000;

/// How many leases are held at once unless the store is told otherwise: 100,000.
pub const DEFAULT_LEASES: usize = 100_000;

/// How many subscriptions there are at most unless the store is told otherwise: 10,000.
pub const DEFAULT_SUBSCRIPTIONS: usize = 10_000;

/// Settings of a [`MokaStore`], made by [`MokaStore::builder`].
///
/// ```
/// use larder_moka::MokaStore;
/// use larder_store::Kind;
///
/// const SESSION: Kind = Kind::record("session");
///
/// let store = MokaStore::builder()
///     .with_cache_bytes(256 * 1024 * 1024)
///     .with_cap_of(SESSION, 1_000_000)
///     .build();
/// ```
#[must_use]
pub struct MokaStoreBuilder {
    cache_bytes: u64,
    pinned_cap: usize,
    caps: Vec<(Kind, usize)>,
    leases: usize,
    subscriptions: usize,
    max_value: usize,
    clock: Box<dyn Clock>,
}

impl MokaStoreBuilder {
    /// Bounds the cache space: evictable values together take at most `bytes`, by default
    /// [`DEFAULT_CACHE_BYTES`].
    ///
    /// An entry counts with the length of its key, the length of its value, and
    /// [`ENTRY_OVERHEAD`](crate::ENTRY_OVERHEAD). One that is heavier than all of this is refused
    /// with [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge); at zero every one is.
    pub fn with_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Bounds each pinned kind that has no cap of its own: it holds at most `keys` keys, by default
    /// [`DEFAULT_PINNED_CAP`]. Of a [partitioned](Kind::partitioned) kind, each partition does.
    ///
    /// A write that would make one more key is refused with
    /// [`Refusal::Full`](larder_store::Refusal::Full). The cap counts keys, not bytes: in the worst
    /// case a kind of values takes cap × largest value.
    pub fn with_pinned_cap(mut self, keys: usize) -> Self {
        self.pinned_cap = keys;
        self
    }

    /// Bounds one pinned kind, of values or of records: it holds at most `keys` keys, whatever
    /// [`with_pinned_cap`](Self::with_pinned_cap) says.
    ///
    /// Of a [partitioned](Kind::partitioned) kind it bounds each partition: a rate limit's policy, for
    /// one. [`MAX_PARTITIONS`](crate::MAX_PARTITIONS) are kept apart; all that come after those share
    /// one.
    ///
    /// Of an evictable kind it changes nothing: those share
    /// [`with_cache_bytes`](Self::with_cache_bytes).
    pub fn with_cap_of(mut self, kind: Kind, keys: usize) -> Self {
        self.caps.retain(|(other, _)| *other != kind);
        self.caps.push((kind, keys));
        self
    }

    /// Refuses values of more than `bytes` bytes with
    /// [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge), by default
    /// [`DEFAULT_MAX_VALUE`]. Records are not counted in bytes.
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Bounds the leases that are held at once, by default [`DEFAULT_LEASES`].
    ///
    /// A claim that would be one more is refused with
    /// [`Refusal::Full`](larder_store::Refusal::Full). One whose time has passed does not count.
    pub fn with_leases(mut self, number: usize) -> Self {
        self.leases = number;
        self
    }

    /// Bounds the subscriptions of the bus, by default [`DEFAULT_SUBSCRIPTIONS`]. One to several
    /// channels and topics counts for each of them.
    ///
    /// One more is refused with [`Refusal::Full`](larder_store::Refusal::Full).
    pub fn with_subscriptions(mut self, number: usize) -> Self {
        self.subscriptions = number;
        self
    }

    /// Reads the time from `clock`, by default a [`SystemClock`]. Nothing in the store has another
    /// idea of the time, so a [`ManualClock`](larder_store::ManualClock) ends every TTL exactly.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The store with these settings.
    #[must_use]
    pub fn build(self) -> MokaStore {
        MokaStore::from_parts(
            CacheSpace::new(self.cache_bytes),
            Pinned::new(self.pinned_cap, self.caps),
            LeaseTable::new(self.leases),
            Board::new(self.subscriptions),
            self.max_value,
            self.clock,
        )
    }
}

impl Default for MokaStoreBuilder {
    fn default() -> Self {
        Self {
            cache_bytes: DEFAULT_CACHE_BYTES,
            pinned_cap: DEFAULT_PINNED_CAP,
            caps: Vec::new(),
            leases: DEFAULT_LEASES,
            subscriptions: DEFAULT_SUBSCRIPTIONS,
            max_value: DEFAULT_MAX_VALUE,
            clock: Box::new(SystemClock::default()),
        }
    }
}
