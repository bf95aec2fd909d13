use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shards;
use super::together::{merge, split, together};
use crate::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use crate::{DeleteOutcome, Key, Put, PutOutcome, Result, Ttl};

pub(super) struct ShardedLeases {
    pub(super) shards: Arc<Shards>,
    pub(super) inner: Vec<Arc<dyn Leases>>,
}

impl ShardedLeases {
    fn of(&self, key: &Key) -> &dyn Leases {
        &*self.inner[self.shards.number_of(key)]
    }
}

#[async_trait]
impl Leases for ShardedLeases {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.of(claim.key()).claim(claim).await
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        self.of(key).renew(key, fence, hold).await
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        self.of(put.key()).commit(put, fence).await
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        self.of(key).abandon(key, fence).await
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        self.of(key).invalidate(key).await
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        let shard_of = |key: &Key| self.shards.number_of(key);
        let parts = split(self.inner.len(), keys.iter().cloned(), shard_of);
        let runs = parts.into_iter().map(|(shard, places, keys)| async move {
            (places, self.inner[shard].invalidate_many(&keys).await)
        });
        merge(
            keys.len(),
            "invalidate_many",
            together(runs.collect()).await,
        )
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        self.of(key).follow(key, within).await
    }
}
