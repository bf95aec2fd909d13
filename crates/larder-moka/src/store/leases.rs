use std::time::Duration;

use async_trait::async_trait;
use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{Content, Delete, DeleteOutcome, Key, Put, PutOutcome, Result, Ttl};

use super::MokaStore;
use crate::leases::follow;
use crate::pinned::Garbage;

/// Locks the lease of a key while its value is read or written.
///
/// So both change in one step.
///
/// A lease is always locked before a value, and garbage is dropped after both locks.
impl MokaStore {
    fn claim_lease(&self, claim: &Claim) -> Result<Claimed> {
        let key = claim.key();
        key.require(Content::Value, "claim")?;
        let address = self.pinned.address(key);
        let (mut values, mut leases) = (Garbage::new(), Garbage::new());
        loop {
            let held;
            let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
            held = self.read(key, &mut values)?;
            let has_seen = match &held {
                Some(entry) if claim.seen() != Some(entry.version) => {
                    return Ok(Claimed::Fresh(entry.clone()));
                }
                held => held.is_some(),
            };
            if lease.holder().is_some() {
                return Ok(match has_seen {
                    true => Claimed::Stale,
                    false => Claimed::Follow,
                });
            }
            if let Some(fence) = lease.grant(claim.hold()) {
                return Ok(Claimed::Lead(fence));
            }
            drop(lease);
            self.leases.make_room(&*self.clock, &mut leases)?;
        }
    }

    fn commit_with(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        put.key().require(Content::Value, "commit")?;
        self.check_size("commit", put)?;
        let address = self.pinned.address(put.key());
        let (mut values, mut leases) = (Garbage::new(), Garbage::new());
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        if lease.holder() != Some(fence) || !self.write(put, &mut values)?.is_stored() {
            return Ok(PutOutcome::NotStored);
        }
        lease.end();
        Ok(PutOutcome::Stored)
    }

    fn invalidate_key(&self, key: &Key) -> Result<DeleteOutcome> {
        key.require(Content::Value, "invalidate")?;
        let address = self.pinned.address(key);
        let (mut values, mut leases) = (Garbage::new(), Garbage::new());
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        let removed = self.remove(&Delete::new(key.clone()), &mut values)?;
        lease.end();
        Ok(removed)
    }
}

#[async_trait]
impl Leases for MokaStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.claim_lease(claim)
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        key.require(Content::Value, "renew")?;
        let address = self.pinned.address(key);
        let mut leases = Garbage::new();
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        let holds = lease.holder() == Some(fence);
        if holds {
            lease.hold(hold);
        }
        Ok(holds.into())
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        self.commit_with(put, fence)
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        key.require(Content::Value, "abandon")?;
        let address = self.pinned.address(key);
        let mut leases = Garbage::new();
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        let holds = lease.holder() == Some(fence);
        if holds {
            lease.end();
        }
        Ok(holds.into())
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        self.invalidate_key(key)
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        keys.iter().map(|key| self.invalidate_key(key)).collect()
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        key.require(Content::Value, "follow")?;
        let address = self.pinned.address(key);
        let watch = || {
            let mut leases = Garbage::new();
            let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
            lease.watch()
        };
        Ok(follow(watch, &*self.clock, within).await.into())
    }
}
