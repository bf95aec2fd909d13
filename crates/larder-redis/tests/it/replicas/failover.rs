use larder_store::{ErrorKind, Store};
use larder_test::server::RedisSentinels;
use tokio::task::block_in_place;

use super::{Frozen, LONG, SHORT, confirmed, replicas, unconfirmed};
use crate::support::{key, patient, put, until};

/// The replicas are cut off, which a partition would do: frozen, and without the connection on which
/// they would hear later what they missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_apart_from_its_replicas_takes_along_only_what_they_did_not_confirm() {
    let trio = RedisSentinels::start().unwrap();
    let fast = patient(&trio.url()).connect().await.unwrap();
    let safe = confirmed(&trio.url(), 2, LONG).await;
    for id in 0..50_u64 {
        assert!(safe.put(&put(id, "acknowledged")).await.unwrap());
    }
    let hasty = confirmed(&trio.url(), 1, SHORT).await;
    let old = trio.master().unwrap();
    let frozen = Frozen::new(replicas(&trio));
    old.command(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();

    assert!(fast.put(&put(100, "acknowledged")).await.unwrap());
    unconfirmed(hasty.put(&put(101, "not acknowledged")).await);
    old.kill();
    drop(frozen);
    block_in_place(|| trio.wait_for_failover(old)).unwrap();
    until("well again", || async { safe.get(&key(0)).await.is_ok() }).await;

    for id in 0..50_u64 {
        let held = safe.get(&key(id)).await.unwrap().unwrap();
        assert_eq!(held.value, "acknowledged");
    }
    assert_eq!(fast.get(&key(100)).await.unwrap(), None);
    assert_eq!(hasty.get(&key(101)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_made_a_replica_is_left_by_writes_and_batches_that_wait() {
    let trio = RedisSentinels::start().unwrap();
    let store = confirmed(&trio.url(), 1, SHORT).await;
    let old = trio.master().unwrap();
    let other = replicas(&trio)[0].port().to_string();
    // Nobody is to know of it but who asks.
    for sentinel in trio.sentinels() {
        sentinel.freeze().unwrap();
    }
    old.command(&["REPLICAOF", "127.0.0.1", &other]).unwrap();
    let error = store.put(&put(1, "x")).await.unwrap_err();
    // Its line is gone, and no server of the three is a master that it could turn to.
    assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
    old.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    until("well again", || async {
        store.put(&put(1, "y")).await.is_ok()
    })
    .await;
    old.command(&["REPLICAOF", "127.0.0.1", &other]).unwrap();
    let puts = [put(1, "x"), put(2, "x")];
    for result in store.put_many(&puts).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
    }
}
