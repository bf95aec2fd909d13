use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_store::lease::Fence;
use larder_store::{Clock, Error, ErrorKind, Kind, Refusal, Result, Timestamp, Ttl};
use tokio::sync::Notify;

use super::follow::Watch;
use crate::pinned::{Address, Garbage, KindSpace, LockedShard};

/// The kind of the table of leases, which is apart from the spaces of keys: an app may use this name.
const LEASE: Kind = Kind::pinned("lease");

/// The leases that are held now, with an exact cap.
///
/// A lease that has ended leaves nothing behind: the next fence of any key exceeds all fences before.
pub(crate) struct LeaseTable {
    held: KindSpace<HeldLease>,
    cap: usize,
    last_fence: AtomicU64,
}

/// A lease that is held. It is in the table until it ends.
pub(crate) struct HeldLease {
    fence: Fence,
    /// Created by the first follower.
    followers: Option<Arc<Notify>>,
}

impl Drop for HeldLease {
    /// Wakes the followers, after every lock is released: wakers may run any code.
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
            last_fence: AtomicU64::new(0),
        }
    }

    /// Locks the lease of a key, whether it is held or not.
    pub(crate) fn lock<'a>(
        &'a self,
        address: Address<'a>,
        clock: &dyn Clock,
        garbage: &'a mut Garbage<HeldLease>,
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

    /// Removes leases that have ended, so that a grant can be tried again.
    ///
    /// # Errors
    /// [`Refusal::Full`] if none has ended.
    pub(crate) fn make_room(
        &self,
        clock: &dyn Clock,
        garbage: &mut Garbage<HeldLease>,
    ) -> Result<()> {
        if self.held.make_room(clock, garbage) {
            return Ok(());
        }
        Err(Error::new(
            "claim",
            ErrorKind::Refused(Refusal::Full),
            format!(
                "{} leases are held, and none has ended: raise the maximum with \
                 MokaStore::builder().with_max_leases(number)",
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
pub(crate) struct Lease<'a> {
    table: &'a LeaseTable,
    address: Address<'a>,
    locked: LockedShard<'a, HeldLease>,
    slot: Option<usize>,
}

impl Lease<'_> {
    pub(crate) fn holder(&self) -> Option<Fence> {
        Some(self.locked.item(self.slot?).held.fence)
    }

    /// Grants the lease, which must be free, if there is room for another one.
    pub(crate) fn grant(&mut self, hold: Ttl) -> Option<Fence> {
        let (now, last) = (self.locked.now(), &self.table.last_fence);
        let mut fence = Fence::after(None, now);
        let next = |last| {
            fence = Fence::after(Some(Fence::from_u64(last)), now);
            Some(fence.as_u64())
        };
        // The closure always returns a fence, so this always succeeds.
        let _ = last.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let held = HeldLease {
            fence,
            followers: None,
        };
        let granted = self.locked.insert(self.address, after(now, hold), held);
        granted.is_ok().then_some(fence)
    }

    /// Holds the lease for `hold` from now.
    pub(crate) fn hold(&mut self, hold: Ttl) {
        let Some(slot) = self.slot else { return };
        let (before, until) = (
            self.locked.item(slot).deadline,
            after(self.locked.now(), hold),
        );
        self.locked.set_deadline(slot, until);
        if until < before {
            let held = &mut self.locked.item_mut(slot).held;
            let (fence, followers) = (held.fence, held.followers.take());
            // Dropped like a lease that has ended, so that followers look again.
            self.locked.discard(HeldLease { fence, followers });
        }
    }

    /// Ends the lease, if it is held.
    pub(crate) fn end(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.locked.remove(slot);
        }
    }

    /// Returns what a follower waits for, or None if the lease is free.
    pub(crate) fn watch(&mut self) -> Option<Watch> {
        let item = self.locked.item_mut(self.slot?);
        let followers = item.held.followers.get_or_insert_default().clone();
        Some(Watch {
            fence: item.held.fence,
            until: item.deadline,
            // Created under the lock, so that no end is missed.
            changed: followers.notified_owned(),
        })
    }
}

fn after(now: Timestamp, ttl: Ttl) -> Timestamp {
    now.plus_micros(ttl.as_micros())
}
