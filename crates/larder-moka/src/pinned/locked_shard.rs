use larder_store::{Clock, Timestamp};
use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::cap::Cap;
use super::earliest_deadline::EarliestDeadline;
use super::shard::{Address, Due, Held, Item, Shard};

/// Removed items, to be dropped outside every lock.
///
/// Dropping a value, a record or a lease may take long and runs foreign code: wakers, and owners of
/// bytes. So the caller that locks passes this in, and drops it after all locks.
pub(crate) type Garbage<T = Held> = SmallVec<[T; 3]>;

/// A locked shard at one moment.
///
/// The clock is read under the lock, so time never goes back between two operations on one key.
/// Nothing is dropped under it.
pub(crate) struct LockedShard<'a, T> {
    shard: MutexGuard<'a, Shard<T>>,
    cap: &'a Cap,
    earliest: &'a EarliestDeadline,
    now: Timestamp,
    garbage: &'a mut Garbage<T>,
}

impl<'a, T> LockedShard<'a, T> {
    #[inline]
    pub(super) fn new(
        (cap, earliest): (&'a Cap, &'a EarliestDeadline),
        shard: MutexGuard<'a, Shard<T>>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> Self {
        Self {
            shard,
            cap,
            earliest,
            now: clock.now(),
            garbage,
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn item(&self, slot: usize) -> &Item<T> {
        self.shard.item(slot)
    }

    pub(crate) fn item_mut(&mut self, slot: usize) -> &mut Item<T> {
        self.shard.item_mut(slot)
    }

    /// Finds the slot of `address`. An expired item is removed, and counts as absent.
    #[inline]
    pub(crate) fn live(&mut self, address: Address<'_>) -> Option<usize> {
        let slot = self.shard.find(address)?;
        if self.shard.item(slot).deadline > self.now {
            return Some(slot);
        }
        self.remove(slot);
        None
    }

    /// Stores an absent key, if the kind has room for it.
    pub(crate) fn insert(
        &mut self,
        address: Address<'_>,
        deadline: Timestamp,
        held: T,
    ) -> Result<(), T> {
        if !self.cap.reserve() {
            return Err(held);
        }
        self.shard.insert(address, deadline, held);
        self.earliest.lower(deadline);
        Ok(())
    }

    pub(super) fn replace(&mut self, slot: usize, held: T) {
        let before = std::mem::replace(&mut self.shard.item_mut(slot).held, held);
        self.discard(before);
    }

    /// Drops `held` after all locks are released.
    pub(crate) fn discard(&mut self, held: T) {
        self.garbage.push(held);
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        let removed = self.shard.remove(slot);
        self.discard(removed);
        self.cap.release();
    }

    #[inline]
    pub(crate) fn set_deadline(&mut self, slot: usize, deadline: Timestamp) {
        if self.shard.set_deadline(slot, deadline) {
            self.earliest.lower(deadline);
        }
    }

    /// Returns whether an item is due.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.shard.is_due(self.now)
    }

    /// Checks up to `max` items that are due, removes the expired ones, and returns their number.
    pub(super) fn collect(&mut self, max: usize) -> usize {
        let mut removed = 0;
        for _ in 0..max {
            match self.shard.next_due(self.now) {
                None => break,
                Some(Due::Extended) => {}
                Some(Due::Expired(slot)) => {
                    self.remove(slot);
                    removed += 1;
                }
            }
        }
        removed
    }

    /// Returns the moment before which nothing in the shard expires.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.shard.earliest()
    }
}
