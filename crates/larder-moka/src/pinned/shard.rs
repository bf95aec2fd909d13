use hashbrown::HashTable;
use larder_store::{Cell, Entry, Timestamp};

use super::deadlines::Deadlines;

/// One part of a pinned kind: keys, what they hold, and when they end.
///
/// Items stand in a dense list, the table holds their places in it by hash. The moment that an
/// item has in `deadlines` is never after its deadline, and may be before it: a deadline that is
/// put off costs nothing until its old moment has come.
pub(super) struct Shard<T> {
    table: HashTable<usize>,
    items: Vec<Item<T>>,
    deadlines: Deadlines,
}

pub(crate) struct Item<T> {
    hash: u64,
    pub(super) key: Box<[u8]>,
    pub(crate) deadline: Timestamp,
    pub(crate) held: T,
}

/// What a pinned key holds.
pub(crate) enum Held {
    Value(Entry),
    Record(Cell),
}

/// A key as a shard looks for it: hashed once for each operation.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
}

/// An item whose moment has come.
pub(super) enum Due {
    /// It has ended.
    Expired(usize),
    /// It was put off, and has been given its new moment.
    PutOff,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            items: Vec::new(),
            deadlines: Deadlines::default(),
        }
    }
}

impl<T> Shard<T> {
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

    /// Adds a key that is not there yet.
    pub(super) fn insert(&mut self, address: Address<'_>, deadline: Timestamp, held: T) {
        let slot = self.items.len();
        self.items.push(Item {
            hash: address.hash,
            key: address.key.into(),
            deadline,
            held,
        });
        self.deadlines.push(deadline);
        let items = &self.items;
        self.table
            .insert_unique(address.hash, slot, |&slot| items[slot].hash);
    }

    /// Removes an item; the last item takes its slot.
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
        self.items.swap_remove(slot).held
    }

    /// Sets when an item ends, and tells whether its moment moved forward to it.
    pub(super) fn set_deadline(&mut self, slot: usize, deadline: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.items[slot].deadline, deadline);
        let moves = deadline < before && deadline < self.deadlines.at(slot);
        if moves {
            self.deadlines.set(slot, deadline);
        }
        moves
    }

    /// Looks at the first item, if its moment has come.
    pub(super) fn next_due(&mut self, now: Timestamp) -> Option<Due> {
        let (_, slot) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let deadline = self.items[slot].deadline;
        if deadline <= now {
            return Some(Due::Expired(slot));
        }
        self.deadlines.set(slot, deadline);
        Some(Due::PutOff)
    }

    /// Every item, as it stands in the list.
    pub(super) fn items(&self) -> &[Item<T>] {
        &self.items
    }

    /// A moment before which nothing here ends.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| at)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.table.len(), self.items.len());
        assert_eq!(self.deadlines.len(), self.items.len());
        self.items.len()
    }
}
