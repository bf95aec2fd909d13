//! The errors of a cluster when no node serves a slot, or a slot is moving between two nodes.

use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{RedisCluster, Reply, slot_of};

use super::{APP, Operations};
use crate::support::{Add, Log, brisk, key, programs, put, tally, until};

const NOT_READY: ErrorKind = ErrorKind::Refused(Refusal::Unavailable);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unserved_slot_and_a_record_between_two_nodes_are_refused() {
    let cluster = RedisCluster::start().unwrap();
    let store = Arc::new(brisk(&cluster.url()).connect().await.unwrap());
    a_record_between_two_nodes(&cluster, &store).await;
    a_slot_that_nobody_serves(&cluster, &store).await;
}

async fn a_record_between_two_nodes(cluster: &RedisCluster, store: &Arc<RedisStore>) {
    let (programs, record) = (programs(store), tally("torn"));
    let log = Log { ms: 60_000 };
    let add = Add { by: 1, ms: 60_000 };
    programs.run(&record, &add).await.unwrap();
    assert_eq!(programs.run(&record, &log).await.unwrap(), 1);
    let slot = slot_of(record.as_str());
    let from = cluster.master_of_slot(slot).unwrap().port();
    let mut others = cluster.masters().into_iter();
    let to = others.find(|node| node.port() != from).unwrap();
    let moving = cluster.begin_move(slot, to).unwrap();
    // One part of the record moves, the other stays.
    moving.migrate(&[record.as_str()]).unwrap();
    // The store repeats it until the deadline. A command that is in transit at that time may have run.
    until("refused", || async {
        let error = programs.run(&record, &log).await.unwrap_err();
        let is_refused = error.kind() == NOT_READY && error.to_string().contains("TRYAGAIN");
        assert!(
            is_refused || error.kind() == ErrorKind::MayHaveRun,
            "{error}"
        );
        is_refused
    })
    .await;
    moving.finish().unwrap();
    assert_eq!(programs.run(&record, &log).await.unwrap(), 2);
}

async fn a_slot_that_nobody_serves(cluster: &RedisCluster, store: &Arc<RedisStore>) {
    let operations = Operations::on(store, APP);
    operations.prepare().await;
    let slot = slot_of(key("a").as_str());
    let (owner, name) = (cluster.master_of_slot(slot).unwrap(), slot.to_string());
    let did = owner.command(&["CLUSTER", "DELSLOTS", &name]).unwrap();
    assert_eq!(did, Reply::Simple("OK".into()));
    for error in [
        store.get(&key("a")).await.map(drop),
        store.put(&put("a", "c")).await.map(drop),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), NOT_READY, "{error}");
        assert!(error.to_string().contains("CLUSTERDOWN"), "{error}");
    }
    let did = owner.command(&["CLUSTER", "ADDSLOTS", &name]).unwrap();
    assert_eq!(did, Reply::Simple("OK".into()));
    cluster.wait_until_ready().unwrap();
    operations.recover("CLUSTERDOWN").await;
}
