//! A cluster of three masters with a replica each, beside the cluster client of redis-rs; how late
//! the last operations are, and how evenly tasks are served.

mod batch;
mod contender;
mod fairness;
mod load;

use larder_test::server::RedisCluster;

use crate::harness::Row;
use crate::load::{raw_connection, runtime};
use contender::{Ours, Peer, cluster_client};
use load::{Work, p99, throughput};

const CLIENT: &str = "redis-rs' cluster client";
const CONNECTION: &str = "one multiplexed connection";

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let cluster = RedisCluster::start().expect("a cluster");
    let (ours, client) = runtime.block_on(async {
        let ours = Ours::connect(&cluster.url()).await;
        (ours, Peer(cluster_client(&cluster).await))
    });
    let (alone, raw) =
        runtime.block_on(async { (Ours::connect(url).await, Peer(raw_connection(url).await)) });

    let mut rows = Vec::new();
    for work in [Work::Get, Work::Set] {
        for tasks in [1, 64, 256] {
            let pair = (&ours, (CLIENT, &client));
            rows.extend(throughput(&runtime, pair, "Cluster", work, tasks));
        }
    }
    for work in [Work::Get, Work::Set] {
        let pair = (&alone, (CONNECTION, &raw));
        rows.push(p99(&runtime, pair, work, 256));
    }
    rows.extend(batch::run(&runtime, &cluster, &ours));
    rows.push(fairness::run(
        &runtime,
        "Cluster GET",
        &ours,
        (CLIENT, &client),
    ));
    rows.push(fairness::run(
        &runtime,
        "Redis GET",
        &alone,
        (CONNECTION, &raw),
    ));
    rows
}
