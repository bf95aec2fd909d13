//! Leases: a table of those that are held, and a fence that only rises.

mod follow;
mod table;

use std::time::Duration;

use async_trait::async_trait;
use larder_store::{Claim, Claimed, Delete, Fence, Form, Key, Leases, Put, Result, Timestamp, Ttl};

pub(crate) use table::LeaseTable;

use crate::MokaStore;
use crate::pinned::Garbage;

/// Every operation but `follow` answers without waiting. The lease of a key is locked while its
/// value is read or written, so the two change in one step; values know nothing of leases, and no
/// lease is locked while a value is. What either leaves is dropped when neither is locked.
impl MokaStore {
    fn take(&self, claim: &Claim) -> Result<Claimed> {
        let key = claim.key();
        key.require(Form::Value, "claim")?;
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

    fn write_by(&self, put: &Put, fence: Fence) -> Result<bool> {
        put.key().require(Form::Value, "commit")?;
        self.check_size("commit", put)?;
        let address = self.pinned.address(put.key());
        let (mut values, mut leases) = (Garbage::new(), Garbage::new());
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        if lease.holder() != Some(fence) || !self.write(put, &mut values)? {
            return Ok(false);
        }
        lease.end();
        Ok(true)
    }

    fn end_and_remove(&self, key: &Key) -> Result<bool> {
        key.require(Form::Value, "invalidate")?;
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
        self.take(claim)
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<bool> {
        key.require(Form::Value, "renew")?;
        let address = self.pinned.address(key);
        let mut leases = Garbage::new();
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        let holds = lease.holder() == Some(fence);
        if holds {
            lease.hold(hold);
        }
        Ok(holds)
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<bool> {
        self.write_by(put, fence)
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<bool> {
        key.require(Form::Value, "abandon")?;
        let address = self.pinned.address(key);
        let mut leases = Garbage::new();
        let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
        let holds = lease.holder() == Some(fence);
        if holds {
            lease.end();
        }
        Ok(holds)
    }

    async fn invalidate(&self, key: &Key) -> Result<bool> {
        self.end_and_remove(key)
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<bool>> {
        keys.iter().map(|key| self.end_and_remove(key)).collect()
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<bool> {
        key.require(Form::Value, "follow")?;
        let address = self.pinned.address(key);
        let watch = || {
            let mut leases = Garbage::new();
            let mut lease = self.leases.lock(address, &*self.clock, &mut leases);
            lease.watch()
        };
        Ok(follow::follow(watch, &*self.clock, within).await)
    }
}

fn after(now: Timestamp, ttl: Ttl) -> Timestamp {
    now.plus_micros(ttl.as_micros())
}
