use std::collections::BTreeSet;
use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::MetricValues;
use larder_test::server::{RedisCluster, RedisOptions, RedisServer};

use super::fake::Fake;
use super::{fresh, one_on_each, slot, store};
use crate::support::{Server, key, later, ok, patient, put, until};

/// Starts a cluster of one node, which has all slots.
async fn lonely() -> RedisServer {
    let options = RedisOptions::new().with_setting("cluster-enabled", "yes");
    let server = options.start().unwrap();
    ok(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("serving", || async {
        let info = ok(&server, &["CLUSTER", "INFO"]);
        info.text().unwrap().contains("cluster_state:ok")
    })
    .await;
    server
}

async fn behind(fake: &Fake) -> Arc<RedisStore> {
    Arc::new(patient(&fake.url()).connect().await.unwrap())
}

/// Returns the clients, except replicas and the one that asks.
fn clients(server: &impl Server) -> BTreeSet<String> {
    let list = ok(server, &["CLIENT", "LIST", "TYPE", "NORMAL"]);
    let list = list.text().unwrap().into_owned();
    let others = list
        .lines()
        .filter(|line| !line.contains("cmd=client|list"));
    others
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_stay_keep_their_connections_when_slots_move() {
    let cluster = RedisCluster::start().unwrap();
    let store = store(&cluster).await;
    let ids = one_on_each(&cluster);
    let masters = cluster.masters();
    until("connected", || async {
        masters.iter().all(|master| clients(*master).len() == 1)
    })
    .await;
    let before: Vec<_> = masters.iter().map(|master| clients(*master)).collect();
    cluster.move_slot(slot(ids[0]), masters[1]).unwrap();
    for _ in 0..100 {
        for id in &ids {
            assert!(store.put(&put(*id, "x")).await.unwrap().is_stored());
        }
    }
    let after: Vec<_> = masters.iter().map(|master| clients(*master)).collect();
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_first_connection_to_a_node_replaces_none() {
    let node = lonely().await;
    let values = MetricValues::default().without_label("server");
    let _recording = values.record();
    let url = format!("redis+cluster://{}", node.address());
    let store = patient(&url).connect().await.unwrap();
    let replaced = || values.count("larder_redis_connections_replaced_total");
    let works = async || store.put(&put(1, "x")).await.is_ok();
    until("connected", &works).await;
    assert_eq!(replaced(), 0);
    ok(&node, &["CLIENT", "KILL", "TYPE", "normal"]);
    until("connected again", async || works().await && replaced() > 0).await;
    assert_eq!(replaced(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_came_back_elsewhere_is_found_by_its_seeds() {
    let (mut old, new) = (lonely().await, lonely().await);
    let seed = Fake::start();
    seed.says(&[(0, 16_383, old.port())]);
    let store = behind(&seed).await;
    let id = fresh();
    assert!(store.put(&put(id, "old")).await.unwrap().is_stored());
    assert_eq!(seed.gets(), 0);
    old.kill();
    seed.says(&[(0, 16_383, new.port())]);
    until("found", || async {
        store.put(&put(id, "new")).await.is_ok()
    })
    .await;
    assert_eq!(ok(&new, &["EXISTS", key(id).as_str()]).int(), Some(1));
}

#[tokio::test]
async fn a_node_that_knows_of_fewer_slots_is_not_believed() {
    let seed = Fake::start();
    let store = behind(&seed).await;
    let id = fresh();
    store.get(&key(id)).await.unwrap();
    // Like a node that was cut off, or has just been started.
    seed.says(&[(0, 0, 1)]);
    seed.answers(|_| "-CLUSTERDOWN The cluster is down\r\n".to_owned());
    for _ in 0..20 {
        store.get(&key(id)).await.unwrap_err();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    seed.answers(|_| "$-1\r\n".to_owned());
    assert_eq!(store.get(&key(id)).await.unwrap(), None);
}

#[tokio::test]
async fn slots_that_every_node_has_lost_are_given_up_and_a_later_failover_is_followed() {
    let (master, replica) = (Fake::start(), Fake::start());
    let store = behind(&master).await;
    let mut ids = (0..).map(|_| fresh());
    let lost = ids.find(|id| slot(*id) < 8_000).unwrap();
    let kept = ids.find(|id| slot(*id) >= 8_000).unwrap();
    let down = |_: &[Vec<u8>]| "-CLUSTERDOWN Hash slot not served\r\n".to_owned();
    master.answers(down);
    master.says(&[(8_000, 16_383, master.port())]);
    until("given up", || async {
        let error = store.get(&key(lost)).await.unwrap_err();
        // Of tokio's clock, so that the test need not wait for the nodes to agree for long enough.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        later(std::time::Duration::from_secs(10)).await;
        error.to_string().contains("no node of the cluster serves")
    })
    .await;
    master.says(&[(8_000, 16_383, replica.port())]);
    until("followed", || async { store.get(&key(kept)).await.is_ok() }).await;
    assert!(replica.gets() > 0);
}

#[tokio::test]
async fn a_seed_that_knows_more_slots_than_the_map_is_believed() {
    let (cut_off, seed) = (Fake::start(), Fake::start());
    seed.says(&[(0, 99, cut_off.port())]);
    cut_off.says(&[(0, 99, cut_off.port())]);
    let store = behind(&seed).await;
    let id = (0..).map(|_| fresh()).find(|id| slot(*id) > 99).unwrap();
    store.get(&key(id)).await.unwrap_err();
    // The node of the map goes on to confirm it.
    seed.says(&[(0, 16_383, seed.port())]);
    until("found", || async { store.get(&key(id)).await.is_ok() }).await;
}

#[tokio::test]
async fn a_store_that_is_dropped_hangs_up_on_every_node() {
    let (leaving, staying) = (lonely().await, lonely().await);
    let seed = Fake::start();
    seed.says(&[(0, 99, leaving.port()), (100, 16_383, staying.port())]);
    let store = behind(&seed).await;
    until("connected", || async { clients(&leaving).len() == 1 }).await;
    drop(store);
    until("disconnected", || async {
        clients(&leaving).is_empty() && clients(&staying).is_empty()
    })
    .await;
}

#[test]
fn a_caller_that_retries_at_once_does_not_stop_the_map_from_being_read() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        for is_batch in [false, true] {
            let id = (fresh()..)
                .find(|id| (1..16_383).contains(&slot(*id)))
                .unwrap();
            let (fake, key, gap) = (Fake::start(), key(id), slot(id));
            fake.says(&[(0, gap - 1, fake.port()), (gap + 1, 16_383, fake.port())]);
            let store = patient(&fake.url()).connect().await.unwrap();
            fake.says(&[(0, 16_383, fake.port())]);
            let (keys, started) = ([key.clone()], std::time::Instant::now());
            let ask = async || match is_batch {
                false => store.get(&key).await,
                true => store.get_many(&keys).await.remove(0),
            };
            let mut failures = 0;
            while let Err(error) = ask().await {
                failures += 1;
                let waited = started.elapsed();
                assert!(waited < std::time::Duration::from_secs(10), "{error}");
            }
            assert!(failures > 0);
        }
    });
}
