//! Leases on real servers: their keys, lost answers, and the notification of followers.

mod exact;
mod followers;
mod lost;
mod refused;
mod wire;

use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Key, Store, Ttl};

const LONG: Ttl = Ttl::from_secs(60);

fn leases(store: &Arc<RedisStore>) -> Arc<dyn Leases> {
    store.clone().leases().unwrap()
}

fn claim(key: &Key) -> Claim {
    Claim::new(key.clone(), LONG)
}

async fn lead(leases: &Arc<dyn Leases>, key: &Key) -> Fence {
    match leases.claim(&claim(key)).await.unwrap() {
        Claimed::Lead(fence) => fence,
        other => panic!("{other:?}"),
    }
}

/// Returns the key of the lease of `key`.
fn beside(key: &Key) -> String {
    format!("{}:~lease", key.as_str())
}
