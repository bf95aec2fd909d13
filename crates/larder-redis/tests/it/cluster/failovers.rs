use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::{Error, ErrorKind, Refusal, Store};
use larder_test::server::{ClusterOptions, RedisCluster, RedisNode, RedisOptions};
use tokio::task::JoinHandle;

use super::{one_on_each, slot};
use crate::support::{BRISK, brisk, key, more, put, until};

/// Starts a cluster whose healthy shards keep serving while one is down.
fn cluster() -> RedisCluster {
    let nodes = RedisOptions::new().with_setting("cluster-require-full-coverage", "no");
    let timeout = Duration::from_millis(1500);
    let options = ClusterOptions::new().with_nodes(nodes);
    options.with_node_timeout(timeout).start().unwrap()
}

async fn store(cluster: &RedisCluster) -> Arc<RedisStore> {
    Arc::new(brisk(&cluster.url()).connect().await.unwrap())
}

/// Reads and writes one key continuously, and counts.
struct Load {
    runs: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    longest: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    fn on(store: &Arc<RedisStore>, id: u64) -> Self {
        let (runs, failed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let longest = Arc::<AtomicU64>::default();
        let done = Arc::<AtomicBool>::default();
        let task = tokio::spawn({
            let (store, runs, failed) = (store.clone(), runs.clone(), failed.clone());
            let (longest, done) = (longest.clone(), done.clone());
            async move {
                while !done.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let outcome = match store.put(&put(id, "x")).await {
                        Ok(written) => {
                            assert!(written.is_stored());
                            store.get(&key(id)).await.map(drop)
                        }
                        Err(error) => Err(error),
                    };
                    let took = u64::try_from(started.elapsed().as_millis()).unwrap();
                    longest.fetch_max(took, Ordering::Relaxed);
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
            longest,
            done,
            task,
        }
    }

    /// Ends the load. Returns how many operations failed, and the longest time of one in milliseconds.
    async fn end(self) -> (u64, u64) {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let failed = self.failed.load(Ordering::Relaxed);
        (failed, self.longest.load(Ordering::Relaxed))
    }
}

fn is_of_an_outage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotSent | ErrorKind::MayHaveRun | ErrorKind::Refused(Refusal::Unavailable)
    )
}

/// Loses a master under load: the store follows to its replica, and other shards are not affected.
async fn loses_one(cluster: &RedisCluster, store: &Arc<RedisStore>, lose: impl Fn(&RedisNode)) {
    let ids = one_on_each(cluster);
    let old = cluster.master_of_slot(slot(ids[0])).unwrap();
    let loads: Vec<_> = ids.iter().map(|id| Load::on(store, *id)).collect();
    for load in &loads {
        more(&load.runs, 20).await;
    }
    lose(old);
    let waiting =
        tokio::task::block_in_place(|| cluster.wait_for_failover(key(ids[0]).as_str(), old));
    waiting.unwrap();
    let writable = Instant::now();
    until("following the failover", || async {
        store.put(&put(ids[0], "y")).await.is_ok()
    })
    .await;
    let took = writable.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for (at, load) in loads.into_iter().enumerate() {
        more(&load.runs, 20).await;
        let (failed, longest) = load.end().await;
        match at {
            0 => assert!(failed > 0, "the outage should have been seen"),
            _ => assert_eq!(failed, 0, "a healthy shard was disturbed"),
        }
        // A put and a get, with some time for a busy machine.
        assert!(u128::from(longest) < 3 * BRISK.as_millis(), "{longest} ms");
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
