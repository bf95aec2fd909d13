//! A scan while slots move and nodes fail over is complete, or fails with `Invalid`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::scan::{Page, Scan};
use larder_store::{Error, ErrorKind, Result, Store};
use larder_test::server::{RedisCluster, RedisNode, slot_of};
use tokio::task::block_in_place;

use super::store;
use crate::support::{key, more, ok, put, until};

const KEYS: u64 = 1_000;

/// A cluster with keys on each node, and the keys.
struct Scene {
    cluster: RedisCluster,
    store: Arc<RedisStore>,
    scan: Arc<dyn Scan>,
    keys: BTreeSet<String>,
}

impl Scene {
    async fn new() -> Self {
        let cluster = RedisCluster::start().unwrap();
        let store = store(&cluster).await;
        let puts: Vec<_> = (0..KEYS).map(|id| put(id, "x")).collect();
        for result in store.put_many(&puts).await {
            assert!(result.unwrap().is_stored());
        }
        Self {
            scan: store.clone().scan().unwrap(),
            keys: puts
                .iter()
                .map(|put| put.key().as_str().to_owned())
                .collect(),
            cluster,
            store,
        }
    }

    async fn first(&self) -> Page {
        self.scan.page("value:", None, 50).await.unwrap()
    }

    /// Returns all keys from `page` on.
    async fn rest(&self, page: Page) -> Result<BTreeSet<String>> {
        let (mut keys, mut after) = (BTreeSet::from_iter(page.keys), page.next);
        while let Some(cursor) = after {
            let page = self.scan.page("value:", Some(&cursor), 200).await?;
            keys.extend(page.keys);
            after = page.next;
        }
        Ok(keys)
    }

    /// Returns all keys, by repeating the scan until it is not disturbed.
    async fn all(&self) -> BTreeSet<String> {
        for _ in 0..50 {
            match self.scan.page("value:", None, 200).await {
                Ok(first) => return self.rest(first).await.unwrap(),
                Err(error) => assert!(is_invalid(&error), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no scan ends");
    }

    /// Returns a key on the last master of the scan, and the first master.
    fn ends(&self) -> (u64, &RedisNode) {
        let masters = self.cluster.masters();
        let mut ids = 0..KEYS;
        let is_last = |id: &u64| {
            let master = self.cluster.master_of(key(*id).as_str()).unwrap();
            master.port() == masters[2].port()
        };
        (ids.find(is_last).unwrap(), masters[0])
    }
}

fn is_invalid(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.to_string().contains("start the scan again")
}

fn slot(id: u64) -> u16 {
    slot_of(key(id).as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_must_start_again_when_an_unused_slot_has_moved() {
    let scene = Scene::new().await;
    let (id, to) = scene.ends();
    let from = scene.cluster.master_of_slot(slot(id)).unwrap();
    let page = scene.first().await;
    block_in_place(|| scene.cluster.move_slot(slot(id), to)).unwrap();
    let error = scene.rest(page).await.unwrap_err();
    assert!(is_invalid(&error), "{error}");
    assert_eq!(scene.all().await, scene.keys);

    // Also if the slot has moved away and back in the meantime.
    let page = scene.first().await;
    block_in_place(|| scene.cluster.move_slot(slot(id), from)).unwrap();
    block_in_place(|| scene.cluster.move_slot(slot(id), to)).unwrap();
    let error = scene.rest(page).await.unwrap_err();
    assert!(is_invalid(&error), "{error}");
    assert_eq!(scene.all().await, scene.keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_has_to_begin_again_while_a_slot_is_on_two_nodes() {
    let scene = Scene::new().await;
    let (id, to) = scene.ends();
    let page = scene.first().await;
    let moving = scene.cluster.begin_move(slot(id), to).unwrap();
    // The key is now on a node that was already scanned, and the slot still belongs to its old node.
    moving.migrate(&[key(id).as_str()]).unwrap();
    let error = scene.rest(page).await.unwrap_err();
    assert!(is_invalid(&error), "{error}");
    assert!(scene.store.get(&key(id)).await.unwrap().is_some());
    block_in_place(|| moving.finish()).unwrap();
    assert_eq!(scene.all().await, scene.keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_has_to_begin_again_after_a_failover() {
    let scene = Scene::new().await;
    let (id, _) = scene.ends();
    let page = scene.first().await;
    let old = scene.cluster.master_of_slot(slot(id)).unwrap();
    ok(scene.cluster.replicas_of(old)[0], &["CLUSTER", "FAILOVER"]);
    // Until the old master knows that it is a replica, its list is still complete.
    until("failed over", || async {
        let role = ok(old, &["ROLE"]);
        role.array().unwrap()[0].text().unwrap() == "slave"
    })
    .await;
    let error = scene.rest(page).await.unwrap_err();
    assert!(is_invalid(&error), "{error}");
    block_in_place(|| scene.cluster.wait_until_ready()).unwrap();
    assert_eq!(scene.all().await, scene.keys);
}

/// The law of scans, while slots move: a key that exists from the first page to the last is on one of the
/// pages, or a page fails and says to start the scan again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scan_is_complete_or_has_to_begin_again_while_slots_move() {
    let scene = Arc::new(Scene::new().await);
    let (done, scans) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let scanning = tokio::spawn({
        let (scene, done, scans) = (scene.clone(), done.clone(), scans.clone());
        async move {
            let mut complete = 0;
            while !done.load(Ordering::Relaxed) {
                let keys = match scene.scan.page("value:", None, 200).await {
                    Ok(first) => scene.rest(first).await,
                    Err(error) => Err(error),
                };
                match keys {
                    Ok(keys) => {
                        let lost = scene.keys.difference(&keys).count();
                        assert_eq!(lost, 0, "keys that are on no page");
                        complete += 1;
                    }
                    Err(error) => assert!(is_invalid(&error), "{error}"),
                }
                scans.fetch_add(1, Ordering::Relaxed);
            }
            complete
        }
    });
    for round in 0..6 {
        let slot = slot(round * 7);
        let masters = scene.cluster.masters();
        let from = scene.cluster.master_of_slot(slot).unwrap().port();
        let to = masters.iter().filter(|node| node.port() != from);
        let to = to.copied().nth(usize::from(round % 2 == 0)).unwrap();
        block_in_place(|| scene.cluster.move_slot(slot, to)).unwrap();
        more(&scans, 3).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(scanning.await.unwrap() > 0, "no scan was complete");
}
