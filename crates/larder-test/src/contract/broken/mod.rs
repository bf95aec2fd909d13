//! Deliberately broken stores, which prove that the laws can fail.
//!
//! Each store has one [`Fault`].
//!
//! A law that passes on every broken store proves nothing, and two laws that fail on the same broken
//! stores prove the same. If you add a law, add a fault that only this law finds.

mod after_put;
mod batches;
mod bus;
mod deletes;
mod delivery;
mod fault;
mod keys;
mod leases;
mod program_calls;
mod programs;
mod puts;
mod reads;
mod scan;
mod store;
mod waits;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use larder_store::bus::Message;
use larder_store::{Entry, Key, ManualClock, Timestamp, Version};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use fault::Fault;
use leases::LeaseMemory;

use crate::contract::model::Held;
use crate::{ManualFixture, ModelStore};

/// A [`ModelStore`] with a fault, or without one.
pub struct BrokenStore {
    model: ModelStore,
    fault: Option<Fault>,
    memory: Arc<Mutex<Memory>>,
    lock: Semaphore,
}

/// The state that some faults need.
#[derive(Default)]
struct Memory {
    answers: HashMap<String, Entry>,
    lingering: Option<Entry>,
    written: HashMap<Version, String>,
    deleted: HashMap<String, Version>,
    old_ends: HashMap<String, Timestamp>,
    read: HashSet<String>,
    started: Option<Timestamp>,
    count: usize,
    leases: LeaseMemory,
    evictable: HashSet<String>,
    /// The length of the last value of each key that was ever put.
    room: HashMap<String, usize>,
    /// A message that is held back until the next one.
    late: Option<Message>,
    last: Option<Message>,
    /// The channels whose messages are lost.
    taken: HashSet<String>,
    waited_for: Vec<Key>,
    /// The records whose steps no longer wake.
    deaf: HashSet<String>,
}

impl BrokenStore {
    /// Makes an empty store with `fault`, or with none, which reads its time from `clock`.
    pub fn new(fault: Option<Fault>, clock: ManualClock) -> Self {
        Self {
            model: ModelStore::with_clock(clock),
            fault,
            memory: Arc::default(),
            lock: Semaphore::new(1),
        }
    }

    /// Makes a fixture of a new store with `fault`, or with none.
    pub fn fixture(fault: Option<Fault>) -> ManualFixture {
        let clock = ManualClock::default();
        let store = Arc::new(Self::new(fault, clock.clone()));
        ManualFixture::shared(store.clone(), clock).counting(move || store.held_keys())
    }

    fn held_keys(&self) -> usize {
        if self.has(Fault::EndedIsNeverFreed) {
            self.memory.lock().room.len()
        } else {
            self.model.held_keys()
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Returns the next number of a counter that begins at 1.
    fn count(&self) -> usize {
        let mut memory = self.memory.lock();
        memory.count += 1;
        memory.count
    }

    /// Returns the value of `key`, if it has not expired.
    fn held(&self, key: &Key) -> Option<Entry> {
        self.model
            .with_slot(key, |slot, _| slot.as_ref()?.entry().cloned())
    }

    /// Returns the value under `key`, if it has expired and was not freed yet.
    fn ended(&self, key: &Key) -> Option<Entry> {
        self.model.with_raw_slot(key, |slot, now| {
            let held = slot.as_ref().filter(|held| held.deadline <= now)?;
            held.entry().cloned()
        })
    }

    /// Changes the content of `key`, if it has any.
    fn edit(&self, key: &Key, change: impl FnOnce(&mut Held, Timestamp)) {
        self.model.with_slot(key, |slot, now| {
            if let Some(held) = slot {
                change(held, now);
            }
        });
    }
}

impl Held {
    fn entry_mut(&mut self) -> Option<&mut Entry> {
        match &mut self.content {
            crate::contract::model::Stored::Value(entry) => Some(entry),
            crate::contract::model::Stored::Record(_) => None,
        }
    }
}

impl fmt::Debug for BrokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BrokenStore").field(&self.fault).finish()
    }
}
