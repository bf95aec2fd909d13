use std::time::Duration;

use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{Key, Put, PutOutcome, Result, Version};
use tracing::Instrument;

use super::Far;

impl<V: Send + Sync + 'static> Far<V> {
    /// Claims the lease of a key, after a look at the entry with the version `seen`.
    pub(crate) async fn claim(
        &self,
        leases: &dyn Leases,
        key: &Key,
        seen: Option<Version>,
    ) -> Result<Claimed> {
        let mut claim = Claim::new(key.clone(), self.hold);
        if let Some(version) = seen {
            claim = claim.having_seen(version);
        }
        self.heard_aside(self.timeout.run("claim", leases.claim(&claim)).await)
    }

    pub(crate) async fn commit(
        &self,
        leases: &dyn Leases,
        put: &Put,
        fence: Fence,
    ) -> Result<bool> {
        let span = self.spans().put(put.key(), put.value().len());
        let commit = self.timeout.run("commit", leases.commit(put, fence));
        self.heard_aside(commit.instrument(span).await)
            .map(PutOutcome::is_stored)
    }

    /// Gives a lease back, and returns whether it was still held.
    pub(crate) async fn abandon(
        &self,
        leases: &dyn Leases,
        key: &Key,
        fence: Fence,
    ) -> Result<bool> {
        let abandon = leases.abandon(key, fence);
        self.heard_aside(self.timeout.run("abandon", abandon).await)
            .map(LeaseOutcome::is_held)
    }

    /// Renews a lease every third of its hold, until another caller holds it.
    ///
    /// A renewal that fails is tried again at the next turn: two in a row may fail.
    pub(crate) async fn renew(&self, leases: &dyn Leases, key: &Key, fence: Fence) {
        let pause = Duration::from(self.hold) / 3;
        loop {
            tokio::time::sleep(pause).await;
            let renewal = leases.renew(key, fence, self.hold);
            let renewed = self.heard_aside(self.timeout.run("renew", renewal).await);
            if let Ok(LeaseOutcome::NotHeld) = renewed {
                return;
            }
        }
    }

    /// Waits until the lease of a key has ended, for `within` at most.
    pub(crate) async fn follow(
        &self,
        leases: &dyn Leases,
        key: &Key,
        within: Duration,
    ) -> Result<bool> {
        // So a store that hangs does not block its followers for ever.
        let patience = within + self.timeout.limit();
        let span = tracing::debug_span!("cache.follow", cache.kind = self.kind.name());
        let followed = leases.follow(key, within).instrument(span);
        match tokio::time::timeout(patience, followed).await {
            Ok(followed) => self.heard_aside(followed).map(FollowOutcome::is_ended),
            Err(_) => Ok(false),
        }
    }
}
