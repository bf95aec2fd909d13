use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Error, ErrorKind, Refusal, Store};
use larder_test::server::{ClusterOptions, RedisCluster, RedisNode, RedisOptions};
use tokio::task::JoinHandle;

use super::{one_on_each, slot};
use crate::support::{calls, key, more, ok, patient, put, until};

/// Starts a cluster whose healthy shards keep serving while one is down, until a replica is told to take over: so an
/// outage lasts as long as a busy machine needs to see it.
fn cluster() -> RedisCluster {
    let nodes = RedisOptions::new()
        .with_setting("cluster-require-full-coverage", "no")
        .with_setting("cluster-replica-no-failover", "yes");
    let timeout = Duration::from_millis(1500);
    let options = ClusterOptions::new().with_nodes(nodes);
    options.with_node_timeout(timeout).start().unwrap()
}

async fn store(cluster: &RedisCluster) -> Arc<RedisStore> {
    Arc::new(patient(&cluster.url()).connect().await.unwrap())
}

/// Reads and writes one key continuously, and counts.
struct Load {
    runs: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    fn on(store: &Arc<RedisStore>, id: u64) -> Self {
        let (runs, failed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let done = Arc::<AtomicBool>::default();
        let task = tokio::spawn({
            let (store, runs, failed) = (store.clone(), runs.clone(), failed.clone());
            let done = done.clone();
            async move {
                while !done.load(Ordering::Relaxed) {
                    let outcome = match store.put(&put(id, "x")).await {
                        Ok(written) => {
                            assert!(written.is_stored());
                            store.get(&key(id)).await.map(drop)
                        }
                        Err(error) => Err(error),
                    };
                    if let Err(error) = outcome {
                        assert!(is_of_an_outage(&error), "{error}");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    runs.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        Self {
            runs,
            failed,
            done,
            task,
        }
    }

    /// Ends the load. Returns how many operations failed.
    async fn end(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.failed.load(Ordering::Relaxed)
    }
}

fn is_of_an_outage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotSent | ErrorKind::MayHaveRun | ErrorKind::Refused(Refusal::Unavailable)
    )
}

/// Loses a master under load: other shards are not affected, and the store follows to its replica.
async fn loses_one(cluster: &RedisCluster, store: &Arc<RedisStore>, lose: impl Fn(&RedisNode)) {
    let ids = one_on_each(cluster);
    let old = cluster.master_of_slot(slot(ids[0])).unwrap();
    let replica = cluster.replicas_of(old)[0];
    let others = cluster.nodes().iter().filter(|it| it.port() != old.port());
    let reads = || others.clone().map(|it| calls(it, "cluster|slots")).sum();
    let loads: Vec<_> = ids.iter().map(|id| Load::on(store, *id)).collect();
    for load in &loads {
        more(&load.runs, 20).await;
    }
    lose(old);
    until("seeing the outage", || async {
        loads[0].failed.load(Ordering::Relaxed) > 0
    })
    .await;
    for load in &loads[1..] {
        more(&load.runs, 20).await;
    }
    // Without an outage it reads the map once in five to ten seconds.
    let before: u64 = reads();
    until("looking for a new master", || async {
        reads() >= before + 12
    })
    .await;
    ok(replica, &["CLUSTER", "FAILOVER", "TAKEOVER"]);
    until("following the failover", || async {
        store.put(&put(ids[0], "y")).await.is_ok()
    })
    .await;
    for (at, load) in loads.into_iter().enumerate() {
        more(&load.runs, 20).await;
        let failed = load.end().await;
        assert_eq!(failed > 0, at == 0, "shard {at} failed {failed} times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_or_frozen_is_followed_to_its_replica_and_hurts_no_other_shard() {
    let cluster = cluster();
    let store = store(&cluster).await;
    loses_one(&cluster, &store, RedisNode::kill).await;
    for node in cluster.nodes().iter().filter(|node| !node.is_running()) {
        node.restart().unwrap();
    }
    cluster.wait_until_ready().unwrap();
    loses_one(&cluster, &store, |node| node.freeze().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_starts_beside_a_dead_shard_and_serves_the_others() {
    let cluster = cluster();
    let ids = one_on_each(&cluster);
    let old = cluster.master_of_slot(slot(ids[0])).unwrap();
    for replica in cluster.replicas_of(old) {
        replica.kill();
    }
    old.kill();
    let store = store(&cluster).await;
    let error = store.put(&put(ids[0], "x")).await.unwrap_err();
    assert!(is_of_an_outage(&error), "{error}");
    for id in &ids[1..] {
        assert!(store.put(&put(*id, "x")).await.unwrap().is_stored());
    }
    old.restart().unwrap();
    until("back", || async {
        store.put(&put(ids[0], "x")).await.is_ok()
    })
    .await;
}
