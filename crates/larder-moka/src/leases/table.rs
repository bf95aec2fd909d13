use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_store::{Clock, Error, ErrorKind, Fence, Kind, Refusal, Result, Ttl};
use tokio::sync::Notify;

use super::after;
use super::follow::Watch;
use crate::pinned::{Address, Garbage, KindSpace, Locked};

/// Names the space of leases; it is no kind of keys.
const LEASE: Kind = Kind::pinned("lease");

/// The leases that are held now, with an exact cap. One that was given back leaves nothing behind:
/// the next fence of any key is higher than every fence before.
pub(crate) struct LeaseTable {
    held: KindSpace<Held>,
    cap: usize,
    last: AtomicU64,
}

/// A lease that is held, which is in the table until its end.
pub(super) struct Held {
    fence: Fence,
    /// Made by the first who follows.
    followers: Option<Arc<Notify>>,
}

impl Drop for Held {
    /// However it ended, and after every lock was given back: what a waker runs is its owner's affair.
    fn drop(&mut self) {
        if let Some(followers) = &self.followers {
            followers.notify_waiters();
        }
    }
}

impl LeaseTable {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            held: KindSpace::new(LEASE, cap),
            cap,
            last: AtomicU64::new(0),
        }
    }

    /// The lease of a key, held or not, under the lock of its shard.
    pub(super) fn lock<'a>(
        &'a self,
        address: Address<'a>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<Held>,
    ) -> Lease<'a> {
        let mut locked = self.held.lock_to_write(address, clock, garbage);
        let slot = locked.live(address);
        Lease {
            table: self,
            address,
            locked,
            slot,
        }
    }

    /// Removes leases that have ended, so that it is worth trying again to grant one.
    ///
    /// # Errors
    /// [`Refusal::Full`] where none has.
    pub(super) fn make_room(&self, clock: &dyn Clock, garbage: &mut Garbage<Held>) -> Result<()> {
        if self.held.make_room(clock, garbage) {
            return Ok(());
        }
        Err(Error::new(
            "claim",
            ErrorKind::Refused(Refusal::Full),
            format!(
                "{} leases are held, none of them past its end: raise it with \
                 MokaStore::builder().with_leases(number)",
                self.cap
            ),
        ))
    }

    #[cfg(test)]
    pub(crate) fn stored(&self) -> usize {
        self.held.lengths().into_iter().sum()
    }
}

/// The lease of one key, under its lock.
pub(super) struct Lease<'a> {
    table: &'a LeaseTable,
    address: Address<'a>,
    locked: Locked<'a, Held>,
    slot: Option<usize>,
}

impl Lease<'_> {
    pub(super) fn holder(&self) -> Option<Fence> {
        Some(self.locked.item(self.slot?).held.fence)
    }

    /// Grants the lease, which nobody holds, if there is room for one more.
    pub(super) fn grant(&mut self, hold: Ttl) -> Option<Fence> {
        let (now, last) = (self.locked.now(), &self.table.last);
        let mut fence = Fence::after(None, now);
        let next = |last| {
            fence = Fence::after(Some(Fence::from_u64(last)), now);
            Some(fence.as_u64())
        };
        // It always moves, so it always succeeds.
        let _ = last.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let held = Held {
            fence,
            followers: None,
        };
        let granted = self.locked.insert(self.address, after(now, hold), held);
        granted.is_ok().then_some(fence)
    }

    /// Holds the lease for `hold` from now on.
    pub(super) fn hold(&mut self, hold: Ttl) {
        let Some(slot) = self.slot else { return };
        let (before, until) = (
            self.locked.item(slot).deadline,
            after(self.locked.now(), hold),
        );
        self.locked.set_deadline(slot, until);
        if until < before {
            let held = &mut self.locked.item_mut(slot).held;
            let (fence, followers) = (held.fence, held.followers.take());
            // As a lease that ended: those who follow look again.
            self.locked.discard(Held { fence, followers });
        }
    }

    /// Ends the lease, if somebody holds it.
    pub(super) fn end(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.locked.remove(slot);
        }
    }

    /// What somebody who follows waits for; nothing where nobody holds the lease.
    pub(super) fn watch(&mut self) -> Option<Watch> {
        let item = self.locked.item_mut(self.slot?);
        let followers = item.held.followers.get_or_insert_default().clone();
        Some(Watch {
            fence: item.held.fence,
            until: item.deadline,
            // Made under the lock, so that no end is missed.
            changed: followers.notified_owned(),
        })
    }
}
