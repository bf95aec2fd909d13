use std::time::Duration;

use larder_store::lease::{Fence, FollowOutcome, Leases};
use larder_store::{Content, Key, Result, Timestamp};
use tokio::time::{sleep, timeout};

use super::Ending;
use crate::contract::broken::{BrokenStore, Fault};

const HOUR: Duration = Duration::from_secs(3600);

impl BrokenStore {
    pub(super) async fn broken_follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        key.require(Content::Value, "follow")?;
        let key = &self.lease_key(key);
        let Some(followed) = self.holder(key) else {
            if self.has(Fault::LateFollowersWait) {
                sleep(within).await;
                return Ok(FollowOutcome::StillHeld);
            }
            return Ok(FollowOutcome::Ended);
        };
        let until = self.last_lease(key).and_then(|lease| lease.until);
        let dropped = ReleaseOnDrop { store: self, key };
        let ended = match (self.fault, until) {
            (Some(Fault::FollowEndsAtOnce), _) => Ok(FollowOutcome::Ended),
            (Some(Fault::FollowGivesUpAtOnce), _) => Ok(FollowOutcome::StillHeld),
            (Some(Fault::FollowIgnoresWithin), _) => self.model.follow(key, HOUR).await,
            (Some(Fault::FollowMissesRenewals), Some(until)) => {
                self.follow_until(key, followed, until, within).await
            }
            (Some(Fault::FollowWaitsForNobody), _) => {
                let nobody = async {
                    while self.holder(key).is_some() {
                        let _ = self.model.follow(key, HOUR).await?;
                    }
                    Ok(FollowOutcome::Ended)
                };
                timeout(within, nobody)
                    .await
                    .unwrap_or(Ok(FollowOutcome::StillHeld))
            }
            _ => self.model.follow(key, within).await,
        }?;
        std::mem::forget(dropped);
        if ended.is_ended() && self.is_not_woken(key, followed) {
            sleep(within).await;
            return Ok(FollowOutcome::StillHeld);
        }
        Ok(ended)
    }

    async fn follow_until(
        &self,
        key: &Key,
        followed: Fence,
        until: Timestamp,
        within: Duration,
    ) -> Result<FollowOutcome> {
        let over = async {
            while self.holder(key) == Some(followed)
                && self.model.with_lease(key, |_, now| now < until)
            {
                sleep(Duration::from_millis(1)).await;
            }
        };
        Ok(timeout(within, over).await.is_ok().into())
    }

    fn is_not_woken(&self, key: &Key, followed: Fence) -> bool {
        let ended = self.ending(key, followed);
        match self.fault {
            Some(Fault::CommitWakesNobody) => ended == Some(Ending::Commit),
            Some(Fault::AbandonWakesNobody) => ended == Some(Ending::Abandon),
            Some(Fault::InvalidateWakesNobody) => ended == Some(Ending::Invalidation),
            Some(Fault::InvalidateManyWakesNobody) => ended == Some(Ending::InvalidationOfMany),
            Some(Fault::EndWakesNobody) => ended == Some(Ending::Time),
            Some(Fault::WakesOneFollower) => {
                let mut memory = self.memory.lock();
                let woken = &mut memory.leases.woken;
                !woken.insert((key.as_str().to_owned(), followed))
            }
            _ => false,
        }
    }
}

/// Ends the lease when it is dropped.
struct ReleaseOnDrop<'a> {
    store: &'a BrokenStore,
    key: &'a Key,
}

impl Drop for ReleaseOnDrop<'_> {
    fn drop(&mut self) {
        if self.store.has(Fault::DroppedFollowerEndsLease) {
            self.store.release(self.key);
        }
    }
}
