use larder_store::{Clock, Timestamp};
use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::shard::{Address, Due, Held, Item, Shard};
use super::space::KindSpace;

/// What was removed. To drop a value, a record or a lease may take long, and runs code that is not
/// ours: wakers, and what an owner of bytes does at their end. So whoever takes a lock brings this
/// from outside of it, and of every other lock that it holds.
pub(crate) type Garbage<T = Held> = SmallVec<[T; 3]>;

/// A shard under its lock, at one moment.
///
/// The clock is read under the lock, so that time never goes back between two operations on one
/// key. Nothing is dropped under it.
pub(crate) struct Locked<'a, T> {
    shard: MutexGuard<'a, Shard<T>>,
    space: &'a KindSpace<T>,
    now: Timestamp,
    garbage: &'a mut Garbage<T>,
}

impl<'a, T> Locked<'a, T> {
    pub(super) fn new(
        space: &'a KindSpace<T>,
        shard: MutexGuard<'a, Shard<T>>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> Self {
        Self {
            shard,
            space,
            now: clock.now(),
            garbage,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn item(&self, slot: usize) -> &Item<T> {
        self.shard.item(slot)
    }

    pub(crate) fn item_mut(&mut self, slot: usize) -> &mut Item<T> {
        self.shard.item_mut(slot)
    }

    /// Where `address` is, unless it is absent. An expired one is removed, and so is absent.
    pub(crate) fn live(&mut self, address: Address<'_>) -> Option<usize> {
        let slot = self.shard.find(address)?;
        if self.shard.item(slot).deadline > self.now {
            return Some(slot);
        }
        self.remove(slot);
        None
    }

    /// Stores a key that is absent, if the kind has room for it.
    pub(crate) fn insert(
        &mut self,
        address: Address<'_>,
        deadline: Timestamp,
        held: T,
    ) -> Result<(), T> {
        if !self.space.cap.reserve() {
            return Err(held);
        }
        self.shard.insert(address, deadline, held);
        self.space.earliest.lower(deadline);
        Ok(())
    }

    pub(super) fn replace(&mut self, slot: usize, held: T) {
        let before = std::mem::replace(&mut self.shard.item_mut(slot).held, held);
        self.discard(before);
    }

    /// Drops `held` when no lock is held any more.
    pub(crate) fn discard(&mut self, held: T) {
        self.garbage.push(held);
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        let removed = self.shard.remove(slot);
        self.discard(removed);
        self.space.cap.release();
    }

    pub(crate) fn set_deadline(&mut self, slot: usize, deadline: Timestamp) {
        if self.shard.set_deadline(slot, deadline) {
            self.space.earliest.lower(deadline);
        }
    }

    /// Looks at up to `most` items whose moment has come, removes those that have ended, and tells
    /// how many those were.
    pub(super) fn collect(&mut self, most: usize) -> usize {
        let mut removed = 0;
        for _ in 0..most {
            match self.shard.next_due(self.now) {
                None => break,
                Some(Due::PutOff) => {}
                Some(Due::Expired(slot)) => {
                    self.remove(slot);
                    removed += 1;
                }
            }
        }
        removed
    }

    /// A moment before which nothing in the shard ends.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.shard.earliest()
    }
}
