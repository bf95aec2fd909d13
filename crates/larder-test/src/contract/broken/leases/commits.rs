use larder_store::lease::{Fence, Leases};
use larder_store::{
    Condition, Content, DEFAULT_MAX_VALUE, Key, Put, PutOutcome, Result, Store, Version,
};
use tokio::task::yield_now;

use super::Ending;
use crate::contract::broken::{BrokenStore, Fault};
use crate::contract::model::deadline;

const ONE_MS: i64 = 1000;

impl BrokenStore {
    pub(super) async fn broken_commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        put.key().require(Content::Value, "commit")?;
        let put = self.wrong_commit(put.clone().at(self.lease_key(put.key())));
        let (key, holder) = (put.key(), self.holder(put.key()));
        if self.is_taken_all_the_same(key, fence, holder) {
            return self.model.put(&put.on(Condition::Always)).await;
        }
        let before = self.last_lease(key);
        let taken = match self.fault {
            Some(Fault::CommitIsForgotten) => self.forget_commit(key, fence).await,
            Some(Fault::CommitOnlyWhereAbsent) if self.held(key).is_some() => {
                self.forget_commit(key, fence).await
            }
            Some(Fault::CommitEndsEarly) if self.is_nearly_over(key) => Ok(PutOutcome::NotStored),
            Some(Fault::LateCommitIsNeverTooLarge) if holder != Some(fence) => {
                Ok(PutOutcome::NotStored)
            }
            Some(Fault::CommitRaces) => {
                yield_now().await;
                match holder == Some(fence) {
                    true => self.write_and_release(&put).await,
                    false => Ok(PutOutcome::NotStored),
                }
            }
            Some(Fault::CancelledCommitKeepsLease) if holder == Some(fence) => {
                let written = self.model.put(&put).await?;
                yield_now().await;
                self.release(key);
                Ok(written)
            }
            _ => self.model.commit(&put, fence).await,
        };
        if taken.is_err() && self.has(Fault::TooLargeCommitEndsLease) {
            self.release(key);
        }
        match taken? {
            PutOutcome::Stored => {
                self.note_ending(key, fence, Ending::Commit);
                if self.has(Fault::CommitKeepsLease) {
                    self.set_lease(key, fence, before.and_then(|before| before.until));
                }
                self.after_commit(&put, fence);
                Ok(PutOutcome::Stored)
            }
            PutOutcome::NotStored => {
                self.after_refusal(&put, holder == Some(fence)).await?;
                Ok(PutOutcome::NotStored)
            }
        }
    }

    /// Applies the faults that change the put of a commit.
    fn wrong_commit(&self, put: Put) -> Put {
        match self.fault {
            Some(Fault::CommitIgnoresConditions) => put.on(Condition::Always),
            Some(Fault::CommitCutsWhatIsTooLarge) if put.value().len() > DEFAULT_MAX_VALUE => {
                let cut = put.value().slice(..DEFAULT_MAX_VALUE);
                Put::new(put.key().clone(), cut, put.ttl())
            }
            _ => put,
        }
    }

    /// Returns whether a commit is stored because of a fault.
    fn is_taken_all_the_same(&self, key: &Key, fence: Fence, holder: Option<Fence>) -> bool {
        let ended = |by| self.ending(key, fence) == Some(by);
        match self.fault {
            Some(Fault::CommitByAnyone) => holder.is_some_and(|holder| holder != fence),
            Some(Fault::HigherFenceCommits) => holder.is_some_and(|holder| holder < fence),
            Some(Fault::LowerFenceCommits) => holder.is_some_and(|holder| holder > fence),
            Some(Fault::CommitNeedsNoLease) => self.last_lease(key).is_none(),
            Some(Fault::CommittedMayCommitAgain) => ended(Ending::Commit),
            Some(Fault::AbandonedMayCommit) => ended(Ending::Abandon),
            Some(Fault::InvalidatedMayCommit) => ended(Ending::Invalidation),
            Some(Fault::ExpiredMayCommit) => ended(Ending::Time),
            _ => false,
        }
    }

    fn is_nearly_over(&self, key: &Key) -> bool {
        self.model.with_lease(key, |lease, now| {
            let until = lease.and_then(|lease| lease.until);
            until.is_some_and(|until| until <= now.plus_micros(ONE_MS))
        })
    }

    /// Ends the lease and writes nothing, but returns the answer of a commit.
    async fn forget_commit(&self, key: &Key, fence: Fence) -> Result<PutOutcome> {
        let given_back = self.model.abandon(key, fence).await?;
        Ok(given_back.is_held().into())
    }

    async fn write_and_release(&self, put: &Put) -> Result<PutOutcome> {
        let written = self.model.put(put).await?;
        self.release(put.key());
        Ok(written)
    }

    fn after_commit(&self, put: &Put, fence: Fence) {
        let granted = (put.key().as_str().to_owned(), fence);
        let granted = self.memory.lock().leases.granted.get(&granted).copied();
        self.edit(put.key(), |held, _| match (self.fault, granted) {
            (Some(Fault::CommitDrawsItsOwnVersion), _) => {
                if let Some(entry) = held.entry_mut() {
                    entry.version = Version::random();
                }
            }
            (Some(Fault::CommitTtlFromClaim), Some(granted)) => {
                held.deadline = deadline(granted, put.ttl());
            }
            _ => {}
        });
    }

    async fn after_refusal(&self, put: &Put, by_holder: bool) -> Result<()> {
        match self.fault {
            Some(Fault::RefusedCommitWrites) if !by_holder => {
                let _ = self.model.put(&put.clone().on(Condition::Always)).await?;
            }
            Some(Fault::RefusedCommitEndsLease) if !by_holder => self.release(put.key()),
            Some(Fault::UnmetCommitEndsLease) if by_holder => self.release(put.key()),
            _ => {}
        }
        Ok(())
    }
}
