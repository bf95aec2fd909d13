use larder_store::{Clock, Error, ErrorKind, Kind, Refusal, Timestamp};
use parking_lot::Mutex;

use super::cap::Cap;
use super::earliest::Earliest;
use super::locked::{Garbage, Locked};
use super::shard::{Address, Held, Shard};

/// How many shards a kind has. A power of two.
const SHARDS: usize = 64;

/// How many items each write looks at whose moment has come: more than it adds, so that they
/// cannot pile up.
const PER_WRITE: usize = 2;

/// How many items a sweep looks at before it gives the lock of a shard back.
const PER_SWEEP: usize = 8;

/// All keys of one pinned kind, and its cap.
pub(crate) struct KindSpace<T = Held> {
    pub(super) kind: Kind,
    pub(super) cap: Cap,
    pub(super) earliest: Earliest,
    shards: Box<[Padded<T>]>,
}

/// A shard on cache lines of its own, so that the locks of two shards never slow each other.
#[repr(align(64))]
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
            earliest: Earliest::new(),
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
        }
    }

    /// The shard of `address`, for a read.
    pub(crate) fn lock<'a>(
        &'a self,
        address: Address<'_>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> Locked<'a, T> {
        // The table takes the lowest and the highest bits of the hash.
        let shard = (address.hash >> 32) as usize % SHARDS;
        Locked::new(self, self.shards[shard].0.lock(), clock, garbage)
    }

    /// The shard of `address`, for a write, which collects a little of what has expired.
    pub(crate) fn lock_to_write<'a>(
        &'a self,
        address: Address<'_>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<T>,
    ) -> Locked<'a, T> {
        let mut locked = self.lock(address, clock, garbage);
        locked.collect(PER_WRITE);
        locked
    }

    /// Removes expired keys from every shard, and tells whether it is worth trying again to store a
    /// key: it is not only where the kind is full of keys none of which has expired.
    ///
    /// No shard may be locked by the caller. Where nothing can have expired it looks at no shard,
    /// so refusing a flood is O(1). Otherwise it is O(shards), plus O(log n) for each key that has
    /// expired or was put off, of which a shard's part ends at its first batch with an expired one.
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
            let mut locked = Locked::new(self, shard.0.lock(), clock, garbage);
            let removed = locked.collect(PER_SWEEP);
            let next = locked.earliest();
            if removed > 0 || next.is_none_or(|next| next > locked.now()) {
                return (removed, next);
            }
        }
    }

    /// Its shards, for a look at all keys.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Padded<T>> {
        self.shards.iter()
    }
}

impl<T> Padded<T> {
    /// Shows `look` every key that has not ended, under the lock of the shard.
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
                 give one of them another name",
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
