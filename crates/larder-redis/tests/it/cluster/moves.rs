use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::server::{RedisCluster, RedisNode, slot_of};

use super::{fresh, slot, store};
use crate::support::{Add, Look, Set, key, more, ok, programs, put, tally, until};

/// Returns ids of keys that are all in one slot.
fn neighbours(count: usize) -> Vec<u64> {
    let start = fresh();
    let first = slot(start);
    (start..)
        .filter(|id| slot(*id) == first)
        .take(count)
        .collect()
}

/// Returns how often a node answered `MOVED`.
fn sent_on(node: &RedisNode) -> u64 {
    let stats = ok(node, &["INFO", "errorstats"]);
    let stats = stats.text().unwrap().into_owned();
    let count = stats.split("errorstat_MOVED:count=").nth(1);
    count.map_or(0, |count| count.lines().next().unwrap().parse().unwrap())
}

/// Runs each operation once that may be sent again.
async fn idempotent_operations(store: &Arc<RedisStore>, ids: &[u64]) {
    let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
    for id in ids {
        store.get(&key(*id)).await.unwrap();
        store.ttl(&key(*id)).await.unwrap();
    }
    for result in store.get_many(&keys).await {
        result.unwrap();
    }
    let programs = programs(store);
    let set = Set { to: 7, ms: 60_000 };
    assert_eq!(programs.run(&tally(ids[0]), &set).await.unwrap(), 7);
    let many = [
        (tally(ids[0]), Look::default()),
        (tally(ids[1]), Look::default()),
    ];
    for result in programs.run_many(&many).await {
        result.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_may_be_sent_again_fails_while_slots_move_and_nothing_runs_twice() {
    let cluster = RedisCluster::start().unwrap();
    let store = store(&cluster).await;
    // Some of the keys in the slot exist, and some do not.
    let ids = neighbours(6);
    for id in &ids[..3] {
        let _ = store.put(&put(*id, "x")).await.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let runs = Arc::new(AtomicU64::new(0));
    let steps = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for _ in 0..4 {
        let (store, ids, done, runs) = (store.clone(), ids.clone(), done.clone(), runs.clone());
        workers.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                idempotent_operations(&store, &ids).await;
                runs.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let (counting, counted, ended) = (store.clone(), steps.clone(), done.clone());
    let counter = tally(ids[5]);
    let one = counter.clone();
    workers.push(tokio::spawn(async move {
        let programs = programs(&counting);
        while !ended.load(Ordering::Relaxed) {
            // Connections are not closed here, so each of these must run once and be answered.
            let add = Add { by: 1, ms: 60_000 };
            programs.run(&one, &add).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }));
    for round in 0..4 {
        for slot in [slot(ids[0]), slot_of(counter.as_str())] {
            let from = cluster.master_of_slot(slot).unwrap().port();
            let masters = cluster.masters();
            let mut others = masters.iter().filter(|master| master.port() != from);
            let moving = cluster
                .begin_move(slot, others.nth(round % 2).unwrap())
                .unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            let keys: Vec<_> = ids[..2]
                .iter()
                .map(|id| key(*id).as_str().to_owned())
                .collect();
            moving.migrate(&keys).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            moving.finish().unwrap();
            more(&runs, 4).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let seen = programs(&store)
        .run(&counter, &Look::default())
        .await
        .unwrap();
    let n = seen.fields()[0].1.parse::<u64>().unwrap();
    assert_eq!(n, steps.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_moved_key_is_enough_to_know_that_the_slot_has_moved() {
    let cluster = RedisCluster::start().unwrap();
    let store = store(&cluster).await;
    let id = fresh();
    let _ = store.put(&put(id, "x")).await.unwrap();
    let from = cluster.master_of_slot(slot(id)).unwrap();
    let to = cluster
        .masters()
        .into_iter()
        .find(|it| it.port() != from.port());
    cluster.move_slot(slot(id), to.unwrap()).unwrap();
    assert!(store.get(&key(id)).await.unwrap().is_some());
    assert!(sent_on(from) > 0);
    until("the map is new", || async {
        let before = sent_on(from);
        store.get(&key(id)).await.unwrap();
        sent_on(from) == before
    })
    .await;
}
