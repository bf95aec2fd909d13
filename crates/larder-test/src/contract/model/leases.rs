use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{
    Clock, Content, Delete, DeleteOutcome, Key, Put, PutOutcome, Result, Timestamp, Ttl,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::values::check_size;
use super::{ModelStore, deadline};

/// The last lease of each key.
///
/// It is locked during a whole operation on leases, and the lock of the values only inside that: no task
/// holds that lock while it waits for this one.
#[derive(Default)]
pub(super) struct LeaseTable {
    last: Mutex<BTreeMap<String, Lease>>,
    changed: Notify,
}

/// The last lease of a key, held or not: the next fence must be higher than its fence.
#[derive(Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) fence: Fence,
    /// The end of the lease. None once it was committed, abandoned or invalidated.
    pub(crate) until: Option<Timestamp>,
}

impl Lease {
    /// Returns the fence that holds the lease at `now`.
    pub(crate) fn holder(&self, now: Timestamp) -> Option<Fence> {
        self.until
            .is_some_and(|until| until > now)
            .then_some(self.fence)
    }
}

impl ModelStore {
    /// Works on the last lease of `key`.
    pub(crate) fn with_lease<T>(
        &self,
        key: &Key,
        work: impl FnOnce(&mut Option<Lease>, Timestamp) -> T,
    ) -> T {
        let mut table = self.leases.last.lock();
        let mut lease = table.remove(key.as_str());
        let done = work(&mut lease, self.clock.now());
        if let Some(lease) = lease {
            table.insert(key.as_str().to_owned(), lease);
        }
        drop(table);
        self.leases.changed.notify_waiters();
        done
    }

    /// Returns every key that was ever claimed. For broken stores.
    pub(crate) fn leased(&self) -> Vec<String> {
        self.leases.last.lock().keys().cloned().collect()
    }

    fn holder(&self, key: &Key) -> Option<Fence> {
        let table = self.leases.last.lock();
        table.get(key.as_str())?.holder(self.clock.now())
    }

    /// Works on the lease of `key`, if `fence` holds it.
    fn with_held<T: From<bool>>(
        &self,
        key: &Key,
        fence: Fence,
        work: impl FnOnce(&mut Lease, Timestamp) -> Result<T>,
    ) -> Result<T> {
        self.with_lease(key, |lease, now| match lease {
            Some(lease) if lease.holder(now) == Some(fence) => work(lease, now),
            _ => Ok(T::from(false)),
        })
    }
}

#[async_trait]
impl Leases for ModelStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let key = claim.key();
        key.require(Content::Value, "claim")?;
        self.with_lease(key, |lease, now| {
            let held = self.read(key)?;
            let is_stale = match held {
                Some(entry) if Some(entry.version) != claim.seen() => {
                    return Ok(Claimed::Fresh(entry));
                }
                held => held.is_some(),
            };
            if lease.and_then(|lease| lease.holder(now)).is_some() {
                return Ok(match is_stale {
                    true => Claimed::Stale,
                    false => Claimed::Follow,
                });
            }
            let fence = Fence::after(lease.map(|lease| lease.fence), now);
            let until = Some(deadline(now, claim.hold()));
            *lease = Some(Lease { fence, until });
            Ok(Claimed::Lead(fence))
        })
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        key.require(Content::Value, "renew")?;
        self.with_held(key, fence, |lease, now| {
            lease.until = Some(deadline(now, hold));
            Ok(LeaseOutcome::Held)
        })
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        put.key().require(Content::Value, "commit")?;
        check_size("commit", put)?;
        self.with_held(put.key(), fence, |lease, _| {
            let written = self.write(put)?;
            if written.is_stored() {
                lease.until = None;
            }
            Ok(written)
        })
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        key.require(Content::Value, "abandon")?;
        self.with_held(key, fence, |lease, _| {
            lease.until = None;
            Ok(LeaseOutcome::Held)
        })
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        key.require(Content::Value, "invalidate")?;
        self.with_lease(key, |lease, _| {
            if let Some(lease) = lease {
                lease.until = None;
            }
            self.remove(&Delete::new(key.clone()))
        })
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.invalidate(key).await);
        }
        answers
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        key.require(Content::Value, "follow")?;
        let Some(fence) = self.holder(key) else {
            return Ok(FollowOutcome::Ended);
        };
        let mut changed = pin!(self.leases.changed.notified());
        let ended = poll_fn(|cx| {
            // Registered before the check, so that a later change wakes this task.
            self.clock.wake_when_moved(cx.waker());
            while self.holder(key) == Some(fence) {
                if changed.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                changed.set(self.leases.changed.notified());
            }
            Poll::Ready(())
        });
        let ended = tokio::time::timeout(within, ended).await;
        Ok(ended.is_ok().into())
    }
}
