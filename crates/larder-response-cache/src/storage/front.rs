use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use larder_store::{Timestamp, Version};
use parking_lot::RwLock;

use crate::storage::Record;

const SHARDS: usize = 16;

/// The records in this process: bounded by weight, each with a deadline of ours.
///
/// What is not asked for between two rounds of the clock's hand goes first. A hit takes a shared
/// lock and a reference count; it decodes, copies and moves nothing.
pub(crate) struct Front {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    /// Bytes that one shard may hold.
    capacity: usize,
    /// How often records were removed by what they are.
    sweeps: AtomicU64,
}

#[derive(Default)]
struct Shard {
    slots: HashMap<Arc<[u8]>, Slot, RandomState>,
    /// The keys in the order in which the hand passes them, each with the number of its slot.
    hand: VecDeque<(Arc<[u8]>, u64)>,
    weight: usize,
    /// How many slots there ever were.
    count: u64,
    generation: u64,
}

struct Slot {
    record: Record,
    version: Option<Version>,
    deadline: Timestamp,
    weight: usize,
    number: u64,
    was_asked_for: AtomicBool,
}

/// A record of the front, as of now.
pub(crate) struct Near {
    pub(crate) record: Record,
    /// The version that the store gave it; nothing where it is in this process alone.
    pub(crate) version: Option<Version>,
    /// Whether the store has to be asked whether it is still there.
    pub(crate) is_due: bool,
    pub(crate) generation: Generation,
}

/// How often keys near this one were removed, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    removals: u64,
    sweeps: u64,
}

impl Generation {
    /// This generation of a key, with what `earlier` saw of removals that concern all keys.
    pub(crate) fn swept_as(self, earlier: Self) -> Self {
        Self {
            sweeps: earlier.sweeps,
            ..self
        }
    }
}

impl Front {
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = std::iter::repeat_with(RwLock::default);
        Self {
            shards: shards.take(SHARDS).collect(),
            hasher: RandomState::default(),
            capacity: capacity / SHARDS,
            sweeps: AtomicU64::new(0),
        }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, key: &[u8]) -> &RwLock<Shard> {
        &self.shards[self.hash(key) as usize % SHARDS]
    }

    pub(crate) fn get(&self, key: &[u8], now: Timestamp) -> Option<Near> {
        let sweeps = self.sweeps.load(Ordering::SeqCst);
        let shard = self.shard(key).read();
        let slot = shard.slots.get(key)?;
        // Read first: a store takes the cache line from every other core.
        if !slot.was_asked_for.load(Ordering::Relaxed) {
            slot.was_asked_for.store(true, Ordering::Relaxed);
        }
        Some(Near {
            record: slot.record.clone(),
            version: slot.version,
            is_due: now >= slot.deadline,
            generation: Generation {
                removals: shard.generation,
                sweeps,
            },
        })
    }

    pub(crate) fn generation(&self, key: &[u8]) -> Generation {
        Generation {
            sweeps: self.sweeps.load(Ordering::SeqCst),
            removals: self.shard(key).read().generation,
        }
    }

    /// Puts a record, unless its key was removed after `since`, or it is too heavy.
    pub(crate) fn insert(
        &self,
        key: &[u8],
        record: Record,
        version: Option<Version>,
        deadline: Timestamp,
        since: Generation,
    ) -> bool {
        let weight = record.weight() + 2 * key.len();
        let mut shard = self.shard(key).write();
        let is_current = shard.generation == since.removals
            && self.sweeps.load(Ordering::SeqCst) == since.sweeps;
        if !is_current || weight > self.capacity {
            // What is outdated must not stay in place of what is too heavy.
            shard.remove(key);
            return false;
        }
        shard.remove(key);
        shard.count += 1;
        let (key, number): (Arc<[u8]>, _) = (key.into(), shard.count);
        shard.hand.push_back((key.clone(), number));
        shard.weight += weight;
        let slot = Slot {
            record,
            version,
            deadline,
            weight,
            number,
            was_asked_for: AtomicBool::new(false),
        };
        shard.slots.insert(key, slot);
        shard.make_room(self.capacity);
        true
    }

    /// Removes a key, and outdates what is being stored under it.
    pub(crate) fn remove(&self, key: &[u8]) {
        let mut shard = self.shard(key).write();
        shard.generation = shard.generation.wrapping_add(1);
        shard.remove(key);
    }

    /// Removes every record that matches, and outdates all that is being stored.
    pub(crate) fn remove_all(&self, matches: impl Fn(&Record) -> bool) {
        // Before the shards: what is inserted after its shard was searched has seen this.
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            let mut shard = shard.write();
            let held = shard.slots.iter();
            let gone: Vec<_> = held
                .filter(|(_, slot)| matches(&slot.record))
                .map(|(key, _)| key.clone())
                .collect();
            for key in gone {
                shard.remove(&key);
            }
        }
    }
}

impl Shard {
    fn remove(&mut self, key: &[u8]) {
        if let Some(slot) = self.slots.remove(key) {
            self.weight -= slot.weight;
        }
        // The hand still holds the key; it is forgotten when the hand passes, or here.
        if self.hand.len() > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            self.hand
                .retain(|(key, number)| slots.get(key).is_some_and(|slot| slot.number == *number));
        }
    }

    fn make_room(&mut self, capacity: usize) {
        while self.weight > capacity {
            let Some((key, number)) = self.hand.pop_front() else {
                return;
            };
            let Some(slot) = self.slots.get(&key).filter(|slot| slot.number == number) else {
                continue;
            };
            if slot.was_asked_for.swap(false, Ordering::Relaxed) {
                self.hand.push_back((key, number));
            } else {
                self.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn put(front: &Front, key: &[u8]) -> bool {
        let since = front.generation(key);
        front.insert(key, Record::Reservation, None, at(10), since)
    }

    #[test]
    fn a_record_is_due_at_its_deadline() {
        let front = Front::new(1 << 20);
        assert!(put(&front, b"a"));
        assert!(!front.get(b"a", at(9)).unwrap().is_due);
        assert!(front.get(b"a", at(10)).unwrap().is_due);
        front.remove(b"a");
        assert!(front.get(b"a", at(9)).is_none());
    }

    #[test]
    fn what_was_begun_before_a_removal_is_not_kept() {
        let front = Front::new(1 << 20);
        let since = front.generation(b"a");
        front.remove(b"a");
        assert!(!front.insert(b"a", Record::Reservation, None, at(10), since));
        assert!(front.get(b"a", at(0)).is_none());
        let since = front.generation(b"a");
        front.remove_all(|_| false);
        assert!(!front.insert(b"a", Record::Reservation, None, at(10), since));
    }

    #[test]
    fn its_weight_never_passes_its_capacity_and_what_is_used_stays() {
        let front = Front::new(SHARDS * 1000);
        assert!(put(&front, b"used"));
        for number in 0..10_000_u32 {
            put(&front, &number.to_le_bytes());
            assert!(front.get(b"used", at(0)).is_some());
        }
        let weights: Vec<_> = front
            .shards
            .iter()
            .map(|shard| shard.read().weight)
            .collect();
        assert!(weights.iter().all(|weight| *weight <= 1000), "{weights:?}");
        let hands = front.shards.iter().map(|shard| shard.read().hand.len());
        assert!(hands.max() < Some(200));
    }

    #[test]
    fn a_key_that_is_written_again_and_again_takes_no_more_room() {
        let front = Front::new(1 << 20);
        for _ in 0..10_000 {
            assert!(put(&front, b"a"));
        }
        let shard = front.shard(b"a").read();
        assert_eq!(shard.slots.len(), 1);
        assert!(shard.hand.len() < 100 && shard.weight < 200);
    }

    #[test]
    fn what_is_too_heavy_is_not_kept() {
        let front = Front::new(SHARDS * 10);
        assert!(!put(&front, b"a"));
    }
}
