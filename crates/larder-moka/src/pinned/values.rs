use larder_store::{
    Clock, Delete, DeleteOutcome, Entry, ExpireOutcome, Put, PutOutcome, Result, Ttl,
};

use super::kind_space::KindSpace;
use super::locked_shard::{Garbage, LockedShard};
use super::shard::{Address, Held};

/// The operations on values. Each is O(1), plus O(log n) amortised for the deadlines.
impl KindSpace {
    pub(super) fn get(
        &self,
        address: Address<'_>,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<Option<Entry>> {
        let mut locked = self.lock(address, clock, garbage);
        match locked.live(address) {
            Some(slot) => Ok(Some(self.value(&locked, slot, "get")?.clone())),
            None => Ok(None),
        }
    }

    pub(super) fn put(
        &self,
        address: Address<'_>,
        put: &Put,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<PutOutcome> {
        loop {
            let mut locked = self.lock_to_write(address, clock, garbage);
            let slot = locked.live(address);
            let current = match slot {
                Some(slot) => Some(self.value(&locked, slot, "put")?.version),
                None => None,
            };
            if !put.condition().is_met_by(current) {
                return Ok(PutOutcome::NotStored);
            }
            let deadline = locked.now().plus_micros(put.ttl().as_micros());
            let held = Held::Value(Entry {
                value: put.value().clone(),
                version: put.version(),
            });
            if let Some(slot) = slot {
                locked.replace(slot, held);
                locked.set_deadline(slot, deadline);
                return Ok(PutOutcome::Stored);
            }
            if locked.insert(address, deadline, held).is_ok() {
                return Ok(PutOutcome::Stored);
            }
            drop(locked);
            if !self.make_room(clock, garbage) {
                return Err(self.full("put"));
            }
        }
    }

    pub(super) fn delete(
        &self,
        address: Address<'_>,
        delete: &Delete,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<DeleteOutcome> {
        let mut locked = self.lock_to_write(address, clock, garbage);
        let Some(slot) = locked.live(address) else {
            return Ok(DeleteOutcome::NotDeleted);
        };
        let current = self.value(&locked, slot, "delete")?.version;
        let removes = delete.condition().is_met_by(Some(current));
        if removes {
            locked.remove(slot);
        }
        Ok(removes.into())
    }

    pub(super) fn expire(
        &self,
        address: Address<'_>,
        ttl: Ttl,
        clock: &dyn Clock,
    ) -> Result<ExpireOutcome> {
        let mut garbage = Garbage::new();
        let mut locked = self.lock_to_write(address, clock, &mut garbage);
        let Some(slot) = locked.live(address) else {
            return Ok(ExpireOutcome::NotFound);
        };
        self.value(&locked, slot, "expire")?;
        let deadline = locked.now().plus_micros(ttl.as_micros());
        locked.set_deadline(slot, deadline);
        Ok(ExpireOutcome::TtlSet)
    }

    pub(super) fn ttl(&self, address: Address<'_>, clock: &dyn Clock) -> Result<Option<Ttl>> {
        let mut garbage = Garbage::new();
        let mut locked = self.lock(address, clock, &mut garbage);
        let Some(slot) = locked.live(address) else {
            return Ok(None);
        };
        self.value(&locked, slot, "ttl")?;
        let deadline = locked.item(slot).deadline.as_micros();
        let left = deadline - locked.now().as_micros();
        Ok(Some(Ttl::covering_micros(left)))
    }

    fn value<'a>(
        &self,
        locked: &'a LockedShard<'_, Held>,
        slot: usize,
        operation: &'static str,
    ) -> Result<&'a Entry> {
        match &locked.item(slot).held {
            Held::Value(entry) => Ok(entry),
            Held::Record(_) => Err(self.other_form(operation)),
        }
    }
}
