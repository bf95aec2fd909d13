use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{DeleteOutcome, Key, Put, PutOutcome, Result, Store, Ttl};

use super::{Faulty, Operations, Trouble, meet, meet_many};

/// The leases of a faulty store.
pub(super) struct FaultyLeases<S: ?Sized> {
    pub(super) store: Arc<Faulty<S>>,
    pub(super) inner: Arc<dyn Leases>,
}

impl<S: ?Sized> FaultyLeases<S> {
    fn begin(&self) -> Option<Trouble> {
        self.store.switch.begin(Operations::Leases)
    }
}

#[async_trait]
impl<S: Store + ?Sized> Leases for FaultyLeases<S> {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let trouble = self.begin();
        let claimed = meet(trouble.clone(), "claim", self.inner.claim(claim)).await?;
        match (claimed, trouble) {
            (Claimed::Fresh(entry), Some(Trouble::Lie(lie))) => {
                let told = lie.about(&*self.store.inner, Some(entry)).await?;
                Ok(told.map_or(Claimed::Follow, Claimed::Fresh))
            }
            (claimed, _) => Ok(claimed),
        }
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        meet(self.begin(), "renew", self.inner.renew(key, fence, hold)).await
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        meet(self.begin(), "commit", self.inner.commit(put, fence)).await
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        meet(self.begin(), "abandon", self.inner.abandon(key, fence)).await
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        meet(self.begin(), "invalidate", self.inner.invalidate(key)).await
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        let invalidated = self.inner.invalidate_many(keys);
        meet_many(self.begin(), "invalidate", keys.len(), invalidated).await
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        meet(self.begin(), "follow", self.inner.follow(key, within)).await
    }
}
