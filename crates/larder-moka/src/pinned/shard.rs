use hashbrown::HashTable;
use larder_store::program::Cell;
use larder_store::{Entry, Timestamp};
use smallvec::SmallVec;

use super::deadlines::Deadlines;

/// One part of a pinned kind: keys, their content, and their deadlines.
///
/// Items are in a dense list, and the table holds their slots by hash. An item's moment in `deadlines`
/// is never after its deadline, but may be before it: extending a deadline costs nothing until the old
/// moment has come.
#[repr(C)]
pub(super) struct Shard<T> {
    /// The first moment of `deadlines`, beside the lock: each write reads it.
    earliest: Timestamp,
    table: HashTable<usize>,
    items: Vec<Item<T>>,
    deadlines: Deadlines,
}

/// A key, its deadline and its content. For a limit by address it takes two whole cache lines.
#[repr(C, align(64))]
pub(crate) struct Item<T> {
    hash: u64,
    pub(crate) deadline: Timestamp,
    /// Inline, unless it is long: comparing it touches no other cache line.
    pub(super) key: SmallVec<[u8; INLINE_KEY]>,
    pub(crate) held: T,
}

/// The maximum length of an inline key, such as that of a limit by address.
const INLINE_KEY: usize = 47;

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Item<Held>>() == 128);

/// The moment of a shard in which nothing expires.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// The content of a pinned key.
pub(crate) enum Held {
    Value(Entry),
    Record(Cell),
}

/// A key with its hash, which is computed once for each operation.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
}

/// An item that is due.
pub(super) enum Due {
    /// It has expired.
    Expired(usize),
    /// Its deadline was extended, and its moment is updated.
    Extended,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self {
            earliest: NEVER,
            table: HashTable::new(),
            items: Vec::new(),
            deadlines: Deadlines::default(),
        }
    }
}

impl<T> Shard<T> {
    #[inline]
    pub(super) fn find(&self, address: Address<'_>) -> Option<usize> {
        let found = self.table.find(address.hash, |&slot| {
            let item = &self.items[slot];
            item.hash == address.hash && *item.key == *address.key
        });
        found.copied()
    }

    pub(super) fn item(&self, slot: usize) -> &Item<T> {
        &self.items[slot]
    }

    pub(super) fn item_mut(&mut self, slot: usize) -> &mut Item<T> {
        &mut self.items[slot]
    }

    /// Adds an absent key.
    pub(super) fn insert(&mut self, address: Address<'_>, deadline: Timestamp, held: T) {
        let slot = self.items.len();
        self.items.push(Item {
            hash: address.hash,
            key: SmallVec::from_slice(address.key),
            deadline,
            held,
        });
        self.deadlines.push(deadline);
        self.earliest = self.earliest.min(deadline);
        let items = &self.items;
        self.table
            .insert_unique(address.hash, slot, |&slot| items[slot].hash);
    }

    /// Removes an item. The last item takes its slot.
    pub(super) fn remove(&mut self, slot: usize) -> T {
        let removed = self.items[slot].hash;
        if let Ok(found) = self.table.find_entry(removed, |&held| held == slot) {
            found.remove();
        }
        let last = self.items.len() - 1;
        let moved = self.items[last].hash;
        if let Some(moved) = self.table.find_mut(moved, |&held| held == last) {
            *moved = slot;
        }
        self.deadlines.swap_remove(slot);
        self.note_earliest();
        self.items.swap_remove(slot).held
    }

    /// Sets the deadline of an item. Returns whether its moment became earlier.
    pub(super) fn set_deadline(&mut self, slot: usize, deadline: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.items[slot].deadline, deadline);
        let moves = deadline < before && deadline < self.deadlines.at(slot);
        if moves {
            self.deadlines.set(slot, deadline);
            self.note_earliest();
        }
        moves
    }

    /// Returns whether the first item is due.
    #[inline]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.earliest <= now
    }

    /// Checks the first item, if it is due.
    pub(super) fn next_due(&mut self, now: Timestamp) -> Option<Due> {
        let (_, slot) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let deadline = self.items[slot].deadline;
        if deadline <= now {
            return Some(Due::Expired(slot));
        }
        self.deadlines.set(slot, deadline);
        self.note_earliest();
        Some(Due::Extended)
    }

    fn note_earliest(&mut self) {
        self.earliest = self.deadlines.first().map_or(NEVER, |(at, _)| at);
    }

    /// Returns every item.
    pub(super) fn items(&self) -> &[Item<T>] {
        &self.items
    }

    /// Returns the moment before which nothing here expires.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        (self.earliest < NEVER).then_some(self.earliest)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.table.len(), self.items.len());
        assert_eq!(self.deadlines.len(), self.items.len());
        assert_eq!(self.deadlines.first().map(|(at, _)| at), self.earliest());
        self.items.len()
    }
}
