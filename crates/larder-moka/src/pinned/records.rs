use larder_store::{Call, Cell, Clock, Result, Timestamp, Ttl};

use super::locked::{Garbage, Locked};
use super::shard::{Address, Held};
use super::space::KindSpace;

/// The operation on records.
impl KindSpace {
    /// Runs one step under the lock of the record's shard.
    ///
    /// A step on a record that is there works on it in place and allocates nothing. One that would
    /// make a record in a full kind is undone by dropping the record, and run again if expired keys
    /// gave way: a step has no effect but on its record, so that cannot be seen.
    pub(super) fn step(
        &self,
        address: Address<'_>,
        call: &mut dyn Call,
        clock: &dyn Clock,
    ) -> Result<()> {
        let mut garbage = Garbage::new();
        loop {
            // Made before the lock is taken, so that whatever is left in it is dropped after.
            let mut cell = Cell::new();
            let mut locked = self.lock_to_write(address, clock, &mut garbage);
            if let Some(slot) = locked.live(address) {
                return self.step_in_place(&mut locked, slot, call);
            }
            call.step(&mut cell, locked.now())?;
            if cell.is_empty() {
                return Ok(());
            }
            let deadline = deadline(locked.now(), take_ttl(&mut cell));
            match locked.insert(address, deadline, Held::Record(cell)) {
                Ok(()) => return Ok(()),
                Err(unwanted) => {
                    drop(locked);
                    drop(unwanted);
                }
            }
            if !self.make_room(clock, &mut garbage) {
                return Err(self.full("run"));
            }
        }
    }

    fn step_in_place(
        &self,
        locked: &mut Locked<'_, Held>,
        slot: usize,
        call: &mut dyn Call,
    ) -> Result<()> {
        let now = locked.now();
        let settle = Settle { locked, slot };
        match &mut settle.locked.item_mut(slot).held {
            Held::Record(cell) => call.step(cell, now),
            Held::Value(_) => Err(self.other_form("run")),
        }
    }
}

/// Takes over what a step made of a record, when it is dropped: after a step that panics too, so
/// that no removed record keeps its place, and no TTL is left for the next step to find.
struct Settle<'a, 'b> {
    locked: &'a mut Locked<'b, Held>,
    slot: usize,
}

impl Drop for Settle<'_, '_> {
    fn drop(&mut self) {
        let Held::Record(cell) = &mut self.locked.item_mut(self.slot).held else {
            return;
        };
        if cell.is_empty() {
            self.locked.remove(self.slot);
        } else if let Some(ttl) = cell.take_ttl() {
            let deadline = deadline(self.locked.now(), ttl);
            self.locked.set_deadline(self.slot, deadline);
        }
    }
}

fn deadline(now: Timestamp, ttl: Ttl) -> Timestamp {
    now.plus_micros(ttl.as_micros())
}

fn take_ttl(cell: &mut Cell) -> Ttl {
    // A step cannot put a record without a TTL, so this never takes the fallback.
    cell.take_ttl().unwrap_or(Ttl::MAX)
}
