use larder_store::program::{Call, Cell};
use larder_store::{Clock, Result, Timestamp, Ttl};

use super::kind_space::KindSpace;
use super::locked_shard::{Garbage, LockedShard};
use super::shard::{Address, Held};

/// Runs the steps of programs on records.
impl KindSpace {
    /// Runs one step under the lock of the record's shard.
    ///
    /// A step on an existing record works in place and allocates nothing. If a step creates a record in
    /// a full kind, the record is dropped, and the step runs again if expired keys made room. This is
    /// invisible, since a step only affects its record.
    pub(super) fn step(
        &self,
        address: Address<'_>,
        call: &mut dyn Call,
        clock: &dyn Clock,
    ) -> Result<()> {
        let mut garbage = Garbage::new();
        loop {
            // Declared before the lock, so that its content is dropped after the lock.
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
        locked: &mut LockedShard<'_, Held>,
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

/// Applies the removal or the new TTL of a record when it is dropped, even if the step panicked.
struct Settle<'a, 'b> {
    locked: &'a mut LockedShard<'b, Held>,
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
    // A step cannot put a record without a TTL, so the fallback is never used.
    cell.take_ttl().unwrap_or(Ttl::MAX)
}
