use std::sync::Arc;
use std::time::Duration;

use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Key, Put, Result, Store, Ttl};

use super::fences::Both;
use crate::model::arguments::Id;
use crate::model::given::{Answered, Given, each, kind};

/// One operation on leases, as every store is given it, except for the number of its fence.
pub(crate) enum LeaseStep {
    Claim(Id, Claim),
    Commit(Put, Both),
    Renew(Key, Both, Ttl),
    Abandon(Key, Both),
    Invalidate(Key),
    InvalidateMany(Vec<Key>),
    Follow(Key, Duration),
}

impl LeaseStep {
    /// Runs it with the fences of one side, which `side` selects.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>, side: fn(Both) -> Fence) -> Given {
        let leases = store.clone().leases().expect("leases");
        match self {
            Self::Claim(_, claim) => Given::Claimed(answered(&*leases, claim).await),
            Self::Commit(put, fence) => {
                Given::Stored(vec![kind(leases.commit(put, side(*fence)).await)])
            }
            Self::Renew(key, fence, hold) => {
                Given::Lease(kind(leases.renew(key, side(*fence), *hold).await))
            }
            Self::Abandon(key, fence) => {
                Given::Lease(kind(leases.abandon(key, side(*fence)).await))
            }
            Self::Invalidate(key) => Given::Deleted(vec![kind(leases.invalidate(key).await)]),
            Self::InvalidateMany(keys) => {
                Given::Deleted(each(leases.invalidate_many(keys).await, kind))
            }
            Self::Follow(key, within) => Given::Followed(kind(leases.follow(key, *within).await)),
        }
    }
}

async fn answered(leases: &dyn Leases, claim: &Claim) -> Result<Answered, larder_store::ErrorKind> {
    let claimed = kind(leases.claim(claim).await)?;
    Ok(match claimed {
        Claimed::Fresh(entry) => Answered::Fresh(entry.value, entry.version),
        Claimed::Lead(fence) => Answered::Lead(fence),
        Claimed::Stale => Answered::Stale,
        Claimed::Follow => Answered::Follow,
    })
}
