//! Leases with faults, on top of those of the reference store.

mod claims;
mod commits;
mod ends;
mod follows;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{Content, DeleteOutcome, Key, Kind, Put, PutOutcome, Result, Timestamp, Ttl};

use super::{BrokenStore, Fault};
use crate::contract::model::{Lease, deadline};

const ANY: Kind = Kind::pinned("any");

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Commit,
    Abandon,
    Invalidation,
    InvalidationOfMany,
    Time,
}

/// The state that faults of leases need.
#[derive(Default)]
pub(super) struct LeaseMemory {
    endings: HashMap<(String, Fence), Ending>,
    granted: HashMap<(String, Fence), Timestamp>,
    grants: u64,
    woken: HashSet<(String, Fence)>,
}

impl BrokenStore {
    /// Returns the key that the broken store uses instead of `key`.
    fn lease_key(&self, key: &Key) -> Key {
        match self.fault {
            Some(Fault::LeasesShareAKey) if key.kind().content() == Content::Value => {
                Key::new(ANY, "any")
            }
            _ => self.key(key),
        }
    }

    fn last_lease(&self, key: &Key) -> Option<Lease> {
        self.model.with_lease(key, |lease, _| *lease)
    }

    fn holder(&self, key: &Key) -> Option<Fence> {
        self.model
            .with_lease(key, |lease, now| lease.and_then(|lease| lease.holder(now)))
    }

    fn set_lease(&self, key: &Key, fence: Fence, until: Option<Timestamp>) {
        self.model
            .with_lease(key, |lease, _| *lease = Some(Lease { fence, until }));
    }

    fn hold(&self, key: &Key, fence: Fence, hold: Ttl) {
        self.model.with_lease(key, |lease, now| {
            let until = Some(deadline(now, hold));
            *lease = Some(Lease { fence, until });
        });
    }

    /// Ends the lease of `key`, whoever holds it.
    fn release(&self, key: &Key) {
        self.model.with_lease(key, |lease, _| {
            if let Some(lease) = lease {
                lease.until = None;
            }
        });
    }

    fn note_ending(&self, key: &Key, fence: Fence, ending: Ending) {
        let mut memory = self.memory.lock();
        let endings = &mut memory.leases.endings;
        endings
            .entry((key.as_str().to_owned(), fence))
            .or_insert(ending);
    }

    /// Returns how the lease of `fence` has ended.
    fn ending(&self, key: &Key, fence: Fence) -> Option<Ending> {
        let has_passed = self.model.with_lease(key, |lease, now| {
            let lease = lease.filter(|lease| lease.fence == fence);
            lease.is_some_and(|lease| lease.until.is_some_and(|until| until <= now))
        });
        if has_passed {
            self.note_ending(key, fence, Ending::Time);
        }
        let memory = self.memory.lock();
        let ending = memory.leases.endings.get(&(key.as_str().to_owned(), fence));
        ending.copied()
    }

    /// Ends the lease of `key` if a plain operation has this fault.
    pub(super) fn release_by(&self, fault: Fault, key: &Key) {
        if self.has(fault) && key.kind().content() == Content::Value {
            self.release(key);
        }
    }
}

#[async_trait]
impl Leases for BrokenStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.broken_claim(claim).await
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        self.broken_renew(key, fence, hold).await
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        self.broken_commit(put, fence).await
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        self.broken_abandon(key, fence).await
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        self.broken_invalidate(key, Ending::Invalidation).await
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        self.broken_invalidate_many(keys).await
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        self.broken_follow(key, within).await
    }
}
