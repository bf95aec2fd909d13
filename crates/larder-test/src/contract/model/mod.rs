//! The reference store, simple enough to be obviously right.

mod bus;
mod leases;
mod programs;
mod scan;
mod values;
mod waits;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_store::program::Cell;
use larder_store::wait::Waiters;
use larder_store::{Clock, Entry, Key, ManualClock, Timestamp, Ttl};
use parking_lot::Mutex;

pub(crate) use bus::{Listeners, wants};

pub(crate) use leases::Lease;
use leases::LeaseTable;

/// The reference store: a map behind a lock, with a manual clock.
///
/// It takes no shortcuts, and its only limit is the size of a value. Where the text of the contract is
/// ambiguous, a store should do what this one does. Tests of layers can use it too: it is exact, but slow
/// for many keys.
///
/// ```
/// use std::time::Duration;
/// use larder_store::{Key, Kind, ManualClock, Put, Store, Ttl};
/// use larder_test::ModelStore;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// const SEAT: Kind = Kind::pinned("seat");
/// let clock = ManualClock::default();
/// let store = ModelStore::with_clock(clock.clone());
///
/// let key = Key::new(SEAT, "A1");
/// store.put(&Put::new(key.clone(), "ada", Ttl::from_secs(1))).await?;
/// clock.advance(Duration::from_millis(999));
/// assert!(store.get(&key).await?.is_some());
/// clock.advance(Duration::from_millis(1));
/// assert!(store.get(&key).await?.is_none());
/// # Ok::<(), larder_store::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct ModelStore {
    clock: ManualClock,
    held: Mutex<BTreeMap<String, Held>>,
    /// The number of keys at which expired keys are freed.
    full: AtomicUsize,
    pub(crate) listeners: Arc<Listeners>,
    leases: LeaseTable,
    pub(crate) waiters: Arc<Waiters>,
}

/// The content of one key, and the deadline at which it expires.
pub(crate) struct Held {
    pub(crate) content: Stored,
    pub(crate) deadline: Timestamp,
}

pub(crate) enum Stored {
    Value(Entry),
    Record(Cell),
}

impl Held {
    pub(crate) fn entry(&self) -> Option<&Entry> {
        match &self.content {
            Stored::Value(entry) => Some(entry),
            Stored::Record(_) => None,
        }
    }
}

impl ModelStore {
    /// Makes an empty store with its own clock, which stands still.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty store that reads its time from `clock`.
    pub fn with_clock(clock: ManualClock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// Makes a store with the values of now, by the same clock.
    pub(crate) fn copy_of_values(&self) -> Self {
        let mut copy = Self::with_clock(self.clock.clone());
        let held = self.held.lock();
        let values = held.iter().filter_map(|(key, held)| {
            let content = Stored::Value(held.entry()?.clone());
            let deadline = held.deadline;
            Some((key.clone(), Held { content, deadline }))
        });
        *copy.held.get_mut() = values.collect();
        copy
    }

    /// Works on the slot of `key`, without expired content.
    pub(crate) fn with_slot<T>(
        &self,
        key: &Key,
        work: impl FnOnce(&mut Option<Held>, Timestamp) -> T,
    ) -> T {
        self.free_what_has_ended();
        self.with_raw_slot(key, |slot, now| {
            if slot.as_ref().is_some_and(|held| held.deadline <= now) {
                *slot = None;
            }
            work(slot, now)
        })
    }

    /// Returns the number of keys in memory, including expired keys that were not freed.
    ///
    /// Expired keys are freed when there are about twice as many keys as were live the last time.
    pub fn held_keys(&self) -> usize {
        self.held.lock().len()
    }

    /// Frees expired keys, once the keys have doubled since the last time: so an operation costs little.
    fn free_what_has_ended(&self) {
        const FEW: usize = 32;
        let mut map = self.held.lock();
        if map.len() > self.full.load(Ordering::Relaxed).max(FEW) {
            let now = self.clock.now();
            map.retain(|_, held| held.deadline > now);
            self.full.store(2 * map.len() + FEW, Ordering::Relaxed);
        }
    }

    /// Works on a slot that may still hold expired content. For broken stores.
    pub(crate) fn with_raw_slot<T>(
        &self,
        key: &Key,
        work: impl FnOnce(&mut Option<Held>, Timestamp) -> T,
    ) -> T {
        let mut map = self.held.lock();
        let mut slot = map.remove(key.as_str());
        let done = work(&mut slot, self.clock.now());
        if let Some(held) = slot {
            map.insert(key.as_str().to_owned(), held);
        }
        done
    }
}

/// Returns the moment `ttl` from `now`.
pub(crate) fn deadline(now: Timestamp, ttl: Ttl) -> Timestamp {
    now.plus_micros(ttl.as_micros())
}

impl fmt::Debug for ModelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelStore")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
