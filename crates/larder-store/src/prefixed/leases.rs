use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use crate::{DeleteOutcome, Key, Namespace, Put, PutOutcome, Result, Ttl};

pub(super) struct PrefixedLeases {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<dyn Leases>,
}

impl PrefixedLeases {
    fn key(&self, key: &Key) -> Key {
        key.within(&self.namespace)
    }
}

#[async_trait]
impl Leases for PrefixedLeases {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let claim = claim.clone().at(self.key(claim.key()));
        self.inner.claim(&claim).await
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        self.inner.renew(&self.key(key), fence, hold).await
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        let put = put.clone().at(self.key(put.key()));
        self.inner.commit(&put, fence).await
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        self.inner.abandon(&self.key(key), fence).await
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        self.inner.invalidate(&self.key(key)).await
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        self.inner.invalidate_many(&keys).await
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        self.inner.follow(&self.key(key), within).await
    }
}
