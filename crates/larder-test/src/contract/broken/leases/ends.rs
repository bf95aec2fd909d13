use larder_store::lease::{Fence, LeaseOutcome, Leases};
use larder_store::{Content, Delete, DeleteOutcome, Key, Result, Store, Ttl};

use super::Ending;
use crate::contract::broken::batches::fail_whole;
use crate::contract::broken::{BrokenStore, Fault};

impl BrokenStore {
    pub(super) async fn broken_renew(
        &self,
        key: &Key,
        fence: Fence,
        hold: Ttl,
    ) -> Result<LeaseOutcome> {
        let key = &self.lease_key(key);
        let (before, holder) = (self.last_lease(key), self.holder(key));
        match (self.fault, holder) {
            (Some(Fault::RenewKeepsDeadline), holder) if holder == Some(fence) => {
                Ok(LeaseOutcome::Held)
            }
            (Some(Fault::RenewByAnyone), Some(holder)) => self.model.renew(key, holder, hold).await,
            (Some(Fault::RenewRevives), _) if self.ending(key, fence) == Some(Ending::Time) => {
                self.hold(key, fence, hold);
                Ok(LeaseOutcome::Held)
            }
            (Some(Fault::RenewRevivesAbandoned), None)
                if self.ending(key, fence) == Some(Ending::Abandon) =>
            {
                self.hold(key, fence, hold);
                Ok(LeaseOutcome::Held)
            }
            (Some(Fault::RenewMakesLeases), None) if before.is_none() => {
                self.hold(key, fence, hold);
                Ok(LeaseOutcome::Held)
            }
            (Some(Fault::RenewOnlyLengthens), _) => {
                let renewed = self.model.renew(key, fence, hold).await?;
                let after = self.last_lease(key).and_then(|lease| lease.until);
                let before = before.and_then(|lease| lease.until);
                if renewed.is_held() {
                    self.set_lease(key, fence, before.max(after));
                }
                Ok(renewed)
            }
            _ => self.model.renew(key, fence, hold).await,
        }
    }

    pub(super) async fn broken_abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        let key = &self.lease_key(key);
        let given_back = match (self.fault, self.holder(key)) {
            (Some(Fault::AbandonIsForgotten), holder) if holder == Some(fence) => {
                return Ok(LeaseOutcome::Held);
            }
            (Some(Fault::AbandonByAnyone), Some(holder)) => self.model.abandon(key, holder).await?,
            (Some(Fault::ExpiredIsAbandoned), None) => {
                return Ok(LeaseOutcome::from(
                    self.ending(key, fence) == Some(Ending::Time),
                ));
            }
            _ => self.model.abandon(key, fence).await?,
        };
        if given_back.is_held() {
            self.note_ending(key, fence, Ending::Abandon);
            if self.has(Fault::AbandonRemovesValue) {
                self.model.with_slot(key, |slot, _| *slot = None);
            }
        }
        Ok(given_back)
    }

    pub(super) async fn broken_invalidate(&self, key: &Key, by: Ending) -> Result<DeleteOutcome> {
        key.require(Content::Value, "invalidate")?;
        let key = &self.lease_key(key);
        let (had_ended, was_there) = (self.ended(key).is_some(), self.held(key).is_some());
        let (before, holder) = (self.last_lease(key), self.holder(key));
        let keeps_lease = match by {
            Ending::InvalidationOfMany => self.has(Fault::InvalidateManyKeepsLeases),
            _ => self.has(Fault::InvalidateKeepsLease),
        };
        if keeps_lease {
            return self.model.delete(&Delete::new(key.clone())).await;
        }
        if let Some(holder) = holder {
            self.note_ending(key, holder, by);
        }
        if self.has(Fault::InvalidateKeepsValue) {
            self.release(key);
            return Ok(was_there.into());
        }
        let removed = self.model.invalidate(key).await?;
        if let (Some(Fault::InvalidateBansClaims), Some(before)) = (self.fault, before) {
            let nobody = Fence::from_u64(before.fence.as_u64() + 1);
            self.set_lease(key, nobody, before.until);
        }
        Ok(match self.fault {
            Some(Fault::InvalidateAnswersTrue) => DeleteOutcome::Deleted,
            Some(Fault::ExpiredIsInvalidated) if had_ended => DeleteOutcome::Deleted,
            _ => removed,
        })
    }

    pub(super) async fn broken_invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(
                self.broken_invalidate(key, Ending::InvalidationOfMany)
                    .await,
            );
        }
        match self.fault {
            Some(Fault::InvalidateManyReverses) => answers.reverse(),
            Some(Fault::InvalidateManyFailsWhole) => fail_whole(&mut answers),
            _ => {}
        }
        self.wrong_length(answers, DeleteOutcome::NotDeleted)
    }
}
