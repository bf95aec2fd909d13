//! The store on a real cluster of six nodes.

mod broadcasts;
pub(crate) mod bus;
mod connect;
mod failovers;
pub(crate) mod fake;
mod laws;
mod lost_answers;
mod moves;
mod redirects;
mod scans;
mod topology;
mod values;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_test::server::{RedisCluster, RedisNode, slot_of};

use crate::support::{key, patient};

pub(crate) use connect::deserted;

/// The cluster that tests share if they do not change it.
static SHARED: LazyLock<RedisCluster> = LazyLock::new(|| RedisCluster::start().unwrap());

async fn store(cluster: &RedisCluster) -> Arc<RedisStore> {
    let store = patient(&cluster.url()).with_connect_timeout(Duration::from_secs(20));
    Arc::new(store.connect().await.unwrap())
}

/// Returns a number that no other test has, so that keys made of it belong only to this test.
pub(crate) fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) << 20
}

/// Returns the slot of [`key`].
pub(crate) fn slot(id: u64) -> u16 {
    slot_of(key(id).as_str())
}

/// Returns one id on each master, in the order of the masters.
pub(crate) fn one_on_each(cluster: &RedisCluster) -> Vec<u64> {
    let start = fresh();
    let on = |master: &&RedisNode| {
        let mut ids = start..;
        let is_there =
            |id: &u64| cluster.master_of_slot(slot(*id)).unwrap().port() == master.port();
        ids.find(is_there).unwrap()
    };
    cluster.masters().iter().map(on).collect()
}
