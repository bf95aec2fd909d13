use larder_store::{Clock, Error, ErrorKind, Kind, Refusal, Timestamp};
use parking_lot::Mutex;

use super::cap::Cap;
use super::earliest_deadline::EarliestDeadline;
use super::locked_shard::{Garbage, LockedShard};
use super::shard::{Address, Held, Shard};

/// The number of shards of a kind, a power of two.
const SHARDS: usize = 64;

/// The number of due items that each write checks, so that they cannot pile up.
const PER_WRITE: usize = 2;

/// The number of items that a sweep checks before it releases the lock of a shard.
const PER_SWEEP: usize = 8;

/// All keys of one pinned kind, or of one partition, and their maximum.
pub(crate) struct KindSpace<T = Held> {
    pub(super) kind: Kind,
    pub(super) cap: Cap,
    pub(super) earliest: EarliestDeadline,
    shards: Box<[Padded<T>]>,
}

/// A shard on cache lines of its own, so that the locks of two shards do not slow each other. It has a pair
/// of them, because processors fetch pairs.
#[repr(align(128))]
pub(crate) struct Padded<T>(Mutex<Shard<T>>);

impl<T> Default for Padded<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> KindSpace<T> {
    pub(crate) fn new(kind: Kind, cap: usize) -> Self {
        Self {
            kind,
            cap: Cap::new(cap),
            earliest: EarliestDeadline::new(),
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
        }
    }

    /// Locks the shard of `address` for a read.
    #[inline]
    pub(crate) fn lock<'a>(
        &'a self,
        address: Address<'_>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> LockedShard<'a, T> {
        // The table uses the lowest and the highest bits of the hash.
        let shard = (address.hash >> 32) as usize % SHARDS;
        self.locked(&self.shards[shard], clock, garbage)
    }

    #[inline]
    fn locked<'a>(
        &'a self,
        shard: &'a Padded<T>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> LockedShard<'a, T> {
        LockedShard::new((&self.cap, &self.earliest), shard.0.lock(), clock, garbage)
    }

    /// Locks the shard of `address` for a write, and removes a few expired items.
    #[inline]
    pub(crate) fn lock_to_write<'a>(
        &'a self,
        address: Address<'_>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> LockedShard<'a, T> {
        let mut locked = self.lock(address, clock, garbage);
        if locked.is_due() {
            locked.collect(PER_WRITE);
        }
        locked
    }

    /// Removes expired keys from every shard. Returns false if the kind is full and none has expired.
    ///
    /// The caller must hold no lock of a shard. If nothing can have expired, no shard is checked, so
    /// refusing a flood is O(1). Otherwise it is O(shards), plus O(log n) for each key that has expired or
    /// was extended. It leaves a shard after the first batch with an expired key.
    pub(crate) fn make_room(&self, clock: &dyn Clock, garbage: &mut Garbage<T>) -> bool {
        let mut sweep = self.earliest.lock();
        if self.cap.has_room() {
            return true;
        }
        if !sweep.may_find(clock.now()) {
            return false;
        }
        sweep.begin();
        let (mut removed, mut earliest) = (0, None);
        for shard in &self.shards {
            let (from_shard, next) = self.sweep(shard, clock, garbage);
            removed += from_shard;
            earliest = [earliest, next].into_iter().flatten().min();
        }
        sweep.finish(earliest);
        removed > 0 || self.cap.has_room()
    }

    fn sweep(
        &self,
        shard: &Padded<T>,
        clock: &dyn Clock,
        garbage: &mut Garbage<T>,
    ) -> (usize, Option<Timestamp>) {
        loop {
            let mut locked = self.locked(shard, clock, garbage);
            let removed = locked.collect(PER_SWEEP);
            let next = locked.earliest();
            if removed > 0 || next.is_none_or(|next| next > locked.now()) {
                return (removed, next);
            }
        }
    }

    /// Returns the shards.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Padded<T>> {
        self.shards.iter()
    }
}

impl<T> Padded<T> {
    /// Calls `look` with every key that has not expired, under the lock of the shard.
    pub(crate) fn look(&self, clock: &dyn Clock, mut look: impl FnMut(&[u8])) {
        let (shard, now) = (self.0.lock(), clock.now());
        for item in shard.items().iter().filter(|item| item.deadline > now) {
            look(&item.key);
        }
    }
}

impl KindSpace {
    pub(super) fn full(&self, operation: &'static str) -> Error {
        self.cap.full(operation, self.kind)
    }

    pub(super) fn other_form(&self, operation: &'static str) -> Error {
        Error::new(
            operation,
            ErrorKind::Refused(Refusal::WrongType),
            format!(
                "the name '{}' is used for a kind of values and for a kind of records: \
                 rename one of them",
                self.kind.name()
            ),
        )
    }
}

#[cfg(test)]
impl<T> KindSpace<T> {
    pub(crate) fn lengths(&self) -> Vec<usize> {
        let shards = self.shards.iter();
        shards.map(|shard| shard.0.lock().len()).collect()
    }
}
