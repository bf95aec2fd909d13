use std::cmp;

use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Content, Entry, Result, Timestamp, Ttl};
use tokio::task::yield_now;

use super::Ending;
use crate::contract::broken::{BrokenStore, Fault};
use crate::contract::model::{Lease, deadline};

const ONE_MS: i64 = 1000;

impl BrokenStore {
    pub(super) async fn broken_claim(&self, claim: &Claim) -> Result<Claimed> {
        if self.has(Fault::LeasesRecords) && claim.key().kind().content() == Content::Record {
            return Ok(Claimed::Follow);
        }
        claim.key().require(Content::Value, "claim")?;
        let claim = claim.clone().at(self.lease_key(claim.key()));
        if self.has(Fault::ExpiredIsFresh)
            && let Some(ended) = self.ended(claim.key())
        {
            return Ok(Claimed::Fresh(ended));
        }
        let held = self.held(claim.key());
        if let Some(answer) = self.wrong_answer_to(&claim, held.as_ref()).await? {
            return Ok(answer);
        }
        let claim = self.wrong_claim(claim, held);
        let last = self.last_lease(claim.key());
        let ended = last.and_then(|last| self.ending(claim.key(), last.fence));
        if self.has(Fault::ClaimsRace) && self.holder(claim.key()).is_none() {
            yield_now().await;
            self.release(claim.key());
        }
        let claimed = self.model.claim(&claim).await?;
        let Claimed::Lead(fence) = claimed else {
            return Ok(claimed);
        };
        let fence = self.grant(&claim, fence, last, ended);
        if self.has(Fault::CancelledClaimHoldsForEver) {
            self.hold(claim.key(), fence, Ttl::MAX);
            yield_now().await;
            self.hold(claim.key(), fence, claim.hold());
        }
        Ok(Claimed::Lead(fence))
    }

    /// Returns the wrong answer of a fault that does not run the claim, or runs another one.
    async fn wrong_answer_to(
        &self,
        claim: &Claim,
        held: Option<&Entry>,
    ) -> Result<Option<Claimed>> {
        let has_seen = held.is_some() && claim.seen() == held.map(|held| held.version);
        let holder = self.holder(claim.key());
        Ok(match (self.fault, holder, held) {
            (Some(Fault::ClaimsOnlyFollow), _, held) if held.is_none() || has_seen => {
                Some(Claimed::Follow)
            }
            (Some(Fault::EveryoneLeads), Some(fence), held) if held.is_none() || has_seen => {
                Some(Claimed::Lead(fence))
            }
            (Some(Fault::StaleFollows), Some(_), Some(_)) if has_seen => Some(Claimed::Follow),
            (Some(Fault::SeenIsFresh), _, Some(held)) if has_seen => {
                Some(Claimed::Fresh(held.clone()))
            }
            (Some(Fault::SeenIsStaleThoughGone), Some(_), None) if claim.seen().is_some() => {
                Some(Claimed::Stale)
            }
            (Some(Fault::FreshTakesLease), _, Some(held)) if !has_seen => {
                let seen = claim.clone().having_seen(held.version);
                self.model.claim(&seen).await?;
                Some(Claimed::Fresh(held.clone()))
            }
            _ => None,
        })
    }

    /// Applies the faults that change a claim.
    fn wrong_claim(&self, claim: Claim, held: Option<Entry>) -> Claim {
        match (self.fault, held) {
            (Some(Fault::ClaimsIgnoreValues), Some(held)) => claim.having_seen(held.version),
            (Some(Fault::AnySeenVersionLeads), Some(held)) if claim.seen().is_some() => {
                claim.having_seen(held.version)
            }
            _ => claim,
        }
    }

    /// Applies the faults that change a granted lease, and returns its fence.
    fn grant(
        &self,
        claim: &Claim,
        fence: Fence,
        last: Option<Lease>,
        ended: Option<Ending>,
    ) -> Fence {
        let now = self.model.with_lease(claim.key(), |_, now| now);
        let grants = {
            let mut memory = self.memory.lock();
            memory.leases.grants += 1;
            memory.leases.grants
        };
        let fence = match (self.fault, last, ended) {
            (Some(Fault::FenceIsTheClock), ..) => Fence::after(None, now),
            (Some(Fault::FencesWrap), ..) => Fence::from_u64(grants % 64),
            (Some(Fault::FenceRepeatsAfterCommit), Some(last), Some(Ending::Commit))
            | (Some(Fault::FenceRepeatsAfterAbandon), Some(last), Some(Ending::Abandon))
            | (
                Some(Fault::FenceRepeatsAfterInvalidation),
                Some(last),
                Some(Ending::Invalidation),
            )
            | (Some(Fault::FenceRepeatsAfterEnd), Some(last), Some(Ending::Time)) => last.fence,
            _ => fence,
        };
        self.set_lease(claim.key(), fence, Some(self.wrong_until(claim, now)));
        let mut memory = self.memory.lock();
        let key = claim.key().as_str().to_owned();
        memory.leases.granted.insert((key, fence), now);
        fence
    }

    fn wrong_until(&self, claim: &Claim, now: Timestamp) -> Timestamp {
        let right = deadline(now, claim.hold());
        match self.fault {
            Some(Fault::LeaseEndsEarly) => cmp::max(right.plus_micros(-ONE_MS), now),
            Some(Fault::LeaseEndsLate) => right.plus_micros(ONE_MS),
            _ => right,
        }
    }
}
