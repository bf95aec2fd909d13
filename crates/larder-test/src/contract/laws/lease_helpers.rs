//! Helpers of the laws about leases.

use std::sync::Arc;

use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Key, Put, PutOutcome, StoreExt, Ttl};

use super::scene::{LONG, Scene, same_entry};
use super::{Outcome, Violation};

impl Scene<'_> {
    pub(super) fn leases(&self) -> Outcome<Arc<dyn Leases>> {
        Ok(self.store.clone().require_leases("a law")?)
    }

    /// Claims `key`, which must lead, and returns the fence.
    pub(super) async fn lead(&self, key: &Key) -> Outcome<Fence> {
        self.lead_for(key, LONG).await
    }

    /// Claims `key` for `hold`, which must lead, and returns the fence.
    pub(super) async fn lead_for(&self, key: &Key, hold: Ttl) -> Outcome<Fence> {
        self.leads(
            &Claim::new(key.clone(), hold),
            "a claim of a key without a leader",
        )
        .await
    }

    pub(super) async fn leads(&self, claim: &Claim, what: &str) -> Outcome<Fence> {
        match self.leases()?.claim(claim).await? {
            Claimed::Lead(fence) => Ok(fence),
            other => Err(unexpected(what, "Lead", &other)),
        }
    }

    /// Checks that a new claim of `key` leads, and returns its fence.
    pub(super) async fn can_be_claimed(&self, key: &Key, when: &str) -> Outcome<Fence> {
        let what = format!("a claim {when}");
        self.leads(&Claim::new(key.clone(), LONG), &what).await
    }

    /// Checks that a new claim of `key`, which must have no value, follows.
    pub(super) async fn is_led(&self, key: &Key, when: &str) -> Outcome {
        let claim = Claim::new(key.clone(), LONG);
        match self.leases()?.claim(&claim).await? {
            Claimed::Follow => Ok(()),
            other => Err(unexpected(&format!("a claim {when}"), "Follow", &other)),
        }
    }

    pub(super) async fn is_stale(&self, claim: &Claim, what: &str) -> Outcome {
        match self.leases()?.claim(claim).await? {
            Claimed::Stale => Ok(()),
            other => Err(unexpected(what, "Stale", &other)),
        }
    }

    pub(super) async fn is_fresh(&self, claim: &Claim, put: &Put, what: &str) -> Outcome {
        match self.leases()?.claim(claim).await? {
            Claimed::Fresh(entry) => same_entry(Some(entry), put, what),
            other => Err(unexpected(what, "Fresh", &other)),
        }
    }

    /// Checks that the commit of `put` is stored.
    pub(super) async fn commits(&self, put: &Put, fence: Fence, what: &str) -> Outcome {
        let taken = self.leases()?.commit(put, fence).await?;
        ensure_eq!(taken, PutOutcome::Stored, "{what}");
        Ok(())
    }

    /// Checks that the commit of `put` is refused.
    pub(super) async fn is_refused(&self, put: &Put, fence: Fence, what: &str) -> Outcome {
        let taken = self.leases()?.commit(put, fence).await?;
        ensure_eq!(taken, PutOutcome::NotStored, "{what}");
        Ok(())
    }
}

fn unexpected(what: &str, expected: &str, got: &Claimed) -> Violation {
    Violation::new(format!("{what}: expected {expected}, got {got:?}"))
}
