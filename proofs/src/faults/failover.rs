//! The faults after which another server takes over.

use std::io;
use std::time::Duration;

use larder_test::server::{RedisCluster, RedisNode, RedisSentinels};
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::{Faults, Mended, Report, observe};

/// The time without faults before and after a fault.
const CALM: Duration = Duration::from_secs(4);

pub(super) async fn prove(faults: &mut Faults) {
    let names = [
        "a master of the cluster killed",
        "a master of the cluster frozen",
    ];
    for (name, fault) in names.into_iter().zip([kill, freeze]) {
        let cluster = RedisCluster::start().expect("a cluster");
        let report = cluster_loses_a_master(&cluster, fault).await;
        faults.take(name, Duration::from_secs(2), &report);
    }
    let names = [
        "the master of the sentinels killed",
        "the master of the sentinels frozen",
    ];
    for (name, fault) in names.into_iter().zip([kill, freeze]) {
        let sentinels = RedisSentinels::start().expect("sentinels");
        let report = sentinels_lose_the_master(&sentinels, fault).await;
        faults.take(name, Duration::from_secs(1), &report);
    }
}

type Fault = fn(&RedisNode) -> io::Result<()>;

fn kill(node: &RedisNode) -> io::Result<()> {
    node.kill();
    Ok(())
}

fn freeze(node: &RedisNode) -> io::Result<()> {
    node.freeze()
}

async fn cluster_loses_a_master(cluster: &RedisCluster, fault: Fault) -> Report {
    observe(&cluster.url(), CALM, async || {
        let key = "a key of one of the three";
        let old = cluster.master_of(key).expect("a master");
        fault(old).expect("a fault");
        let writable = block_in_place(|| cluster.wait_for_failover(key, old));
        writable.expect("a new master");
        Mended(Instant::now())
    })
    .await
}

async fn sentinels_lose_the_master(sentinels: &RedisSentinels, fault: Fault) -> Report {
    observe(&sentinels.url(), CALM, async || {
        let old = sentinels.master().expect("a master");
        fault(old).expect("a fault");
        let writable = block_in_place(|| sentinels.wait_for_writable(old));
        writable.expect("a new master");
        Mended(Instant::now())
    })
    .await
}
