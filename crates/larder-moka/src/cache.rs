//! The cache space: a moka that may evict, bounded by weight.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use foldhash::quality::RandomState;
use larder_store::{
    Clock, Condition, Delete, Entry, Error, ErrorKind, Key, Put, PutOutcome, Result, Timestamp, Ttl,
};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::{Mutex, MutexGuard};

/// The bytes that an evictable entry counts in addition to its key and value, for moka's own nodes.
pub const ENTRY_OVERHEAD: u64 = 512;

/// The number of locks that writers share: enough that two keys seldom collide.
const STRIPES: usize = 128;

/// The evictable values. Reads take no lock, except to remove an expired entry, and writers of one key
/// run one at a time.
///
/// moka gets no TTL: the deadline is stored beside the value and compared with the store's clock. The
/// policy is LRU. moka's default refuses fresh entries while it is full of hot ones, and the next
/// reader would load such a value again.
pub(crate) struct CacheSpace {
    cache: Cache<Key, CachedEntry, RandomState>,
    capacity: u64,
    hasher: RandomState,
    /// The locks of writers, since moka has no conditional writes.
    stripes: Box<[Stripe]>,
    unsettled: AtomicU64,
}

#[derive(Clone)]
struct CachedEntry {
    entry: Entry,
    deadline: Timestamp,
}

#[derive(Default)]
#[repr(align(64))]
struct Stripe(Mutex<()>);

impl CacheSpace {
    pub(crate) fn new(capacity: u64) -> Self {
        let hasher = RandomState::default();
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &Key, held: &CachedEntry| {
                u32::try_from(weight(key, held.entry.value.len())).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(hasher.clone());
        Self {
            cache,
            capacity,
            hasher,
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            unsettled: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, key: &Key, clock: &dyn Clock) -> Option<Entry> {
        let held = self.cache.get(key)?;
        if held.deadline > clock.now() {
            return Some(held.entry);
        }
        self.forget_expired(key, clock);
        None
    }

    pub(crate) fn ttl(&self, key: &Key, clock: &dyn Clock) -> Option<Ttl> {
        let held = self.cache.get(key)?;
        let left = held.deadline.as_micros() - clock.now().as_micros();
        (left > 0).then(|| Ttl::covering_micros(left))
    }

    /// Refuses a value that is larger than the whole space.
    pub(crate) fn check_size(&self, operation: &'static str, put: &Put) -> Result<()> {
        match weight(put.key(), put.value().len()) > self.capacity {
            true => Err(self.does_not_fit(operation)),
            false => Ok(()),
        }
    }

    /// Writes a value, whose size must have been [checked](Self::check_size).
    pub(crate) fn put(&self, put: &Put, clock: &dyn Clock) -> PutOutcome {
        // A slice would keep its whole buffer alive, and the limit in bytes would be wrong. So the value
        // is copied, once.
        let value = Bytes::copy_from_slice(put.value());
        {
            let _guard = self.lock_key(put.key());
            let now = clock.now();
            if put.condition() != Condition::Always {
                let current = self.live(put.key(), now).map(|held| held.entry.version);
                if !put.condition().is_met_by(current) {
                    return PutOutcome::NotStored;
                }
            }
            let held = CachedEntry {
                entry: Entry {
                    value,
                    version: put.version(),
                },
                deadline: now.plus_micros(put.ttl().as_micros()),
            };
            self.cache.insert(put.key().clone(), held);
        }
        self.settle(weight(put.key(), put.value().len()));
        PutOutcome::Stored
    }

    pub(crate) fn delete(&self, delete: &Delete, clock: &dyn Clock) -> bool {
        let _guard = self.lock_key(delete.key());
        let Some(held) = self.cache.get(delete.key()) else {
            return false;
        };
        let is_live = held.deadline > clock.now();
        let is_met = delete.condition().is_met_by(Some(held.entry.version));
        if is_met || !is_live {
            self.cache.invalidate(delete.key());
        }
        is_met && is_live
    }

    pub(crate) fn expire(&self, key: &Key, ttl: Ttl, clock: &dyn Clock) -> bool {
        let _guard = self.lock_key(key);
        let now = clock.now();
        let Some(mut held) = self.live(key, now) else {
            return false;
        };
        held.deadline = now.plus_micros(ttl.as_micros());
        self.cache.insert(key.clone(), held);
        true
    }

    /// Returns the keys that have not expired.
    pub(crate) fn keys<'a>(
        &'a self,
        clock: &'a dyn Clock,
    ) -> impl Iterator<Item = Arc<Key>> + Send {
        let live = self.cache.iter();
        let live = live.filter(|(_, held)| held.deadline > clock.now());
        live.map(|(key, _)| key)
    }

    fn live(&self, key: &Key, now: Timestamp) -> Option<CachedEntry> {
        self.cache.get(key).filter(|held| held.deadline > now)
    }

    /// Removes an entry that a reader found expired.
    fn forget_expired(&self, key: &Key, clock: &dyn Clock) {
        let _guard = self.lock_key(key);
        let held = self.cache.get(key);
        if held.is_some_and(|held| held.deadline <= clock.now()) {
            self.cache.invalidate(key);
        }
    }

    fn lock_key(&self, key: &Key) -> MutexGuard<'_, ()> {
        let stripe = self.hasher.hash_one(key) as usize % self.stripes.len();
        self.stripes[stripe].0.lock()
    }

    /// Lets moka evict after each sixteenth of the capacity that is written. By itself it evicts after
    /// 64 writes, which can be many times the capacity.
    fn settle(&self, written: u64) {
        let unsettled = self.unsettled.fetch_add(written, Ordering::Relaxed) + written;
        if unsettled > self.capacity / 16 {
            self.unsettled.store(0, Ordering::Relaxed);
            self.cache.run_pending_tasks();
        }
    }

    fn does_not_fit(&self, operation: &'static str) -> Error {
        Error::new(
            operation,
            ErrorKind::TooLarge,
            format!(
                "the value does not fit into the cache space of {} bytes: \
                 raise the maximum with MokaStore::builder().with_max_cache_bytes(bytes)",
                self.capacity
            ),
        )
    }
}

fn weight(key: &Key, value: usize) -> u64 {
    (key.as_bytes().len() as u64)
        .saturating_add(value as u64)
        .saturating_add(ENTRY_OVERHEAD)
}

#[cfg(test)]
impl CacheSpace {
    /// Runs moka's pending tasks.
    pub(crate) fn settle_now(&self) {
        self.cache.run_pending_tasks();
    }

    /// Returns the bytes of all entries, as the capacity counts them.
    pub(crate) fn bytes_held(&self) -> u64 {
        let weights = self.cache.iter();
        weights
            .map(|(key, held)| weight(&key, held.entry.value.len()))
            .sum()
    }
}
