use larder_store::Store;
use larder_test::server::RedisSentinels;
use tokio::task::block_in_place;

use super::{Frozen, LONG, SHORT, confirmed, replicas, unconfirmed};
use crate::support::{key, patient, put, until};

/// The replicas are cut off as by a partition: frozen, and without the connection over which they would
/// get the missed writes later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_apart_from_its_replicas_takes_along_only_what_they_did_not_confirm() {
    let trio = RedisSentinels::start().unwrap();
    let fast = patient(&trio.url()).connect().await.unwrap();
    let safe = confirmed(&trio.url(), 2, LONG).await;
    for id in 0..50_u64 {
        assert!(
            safe.put(&put(id, "acknowledged"))
                .await
                .unwrap()
                .is_stored()
        );
    }
    let hasty = confirmed(&trio.url(), 1, SHORT).await;
    let old = trio.master().unwrap();
    let frozen = Frozen::new(replicas(&trio));
    old.command(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();

    assert!(
        fast.put(&put(100, "acknowledged"))
            .await
            .unwrap()
            .is_stored()
    );
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
