use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Store};
use larder_test::server::{ClusterOptions, RedisOptions};

use super::{LONG, Pair, reader, until_read_there, value};
use crate::support::{calls, key, patient, put, until};

#[tokio::test]
async fn a_replica_that_hangs_or_is_gone_costs_no_read() {
    let mut pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    for id in 0..10 {
        let _ = writer.put(&put(id, "one")).await.unwrap();
    }
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;
    pair.replica.stop().unwrap();
    assert_eq!(value(&store, 1).await, "one");
    let keys: Vec<_> = (0..10).map(key).collect();
    for entry in store.get_many(&keys).await {
        assert_eq!(&entry.unwrap().unwrap().value[..], b"one");
    }
    pair.replica.cont().unwrap();
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;
    pair.replica.kill();
    for id in 0..10 {
        assert_eq!(value(&store, id).await, "one");
    }
}

#[tokio::test]
async fn while_the_master_is_away_its_replica_is_read_for_as_long_as_is_allowed() {
    let mut pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let brief = reader(&pair.master.url(), Duration::from_millis(300)).await;
    let patient = reader(&pair.master.url(), LONG).await;
    for store in [&brief, &patient] {
        until_read_there(store, &key(1), || calls(&pair.replica, "get")).await;
    }
    pair.master.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..20 {
        assert_eq!(value(&patient, 1).await, "one");
        let error = brief.get(&key(1)).await.unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::NotSent | ErrorKind::MayHaveRun
        ));
    }
    assert!(patient.put(&put(1, "two")).await.is_err());
}

#[tokio::test]
async fn reads_go_on_while_a_replica_takes_its_master_s_place() {
    let nodes = RedisOptions::new().with_setting("cluster-require-full-coverage", "no");
    let cluster = ClusterOptions::new()
        .with_nodes(nodes)
        .with_node_timeout(Duration::from_millis(1500))
        .start()
        .unwrap();
    let writer = patient(&cluster.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&cluster.url(), LONG).await;
    let master = cluster.master_of(key(1).as_str()).unwrap();
    let replica = cluster.replicas_of(master)[0];
    until_read_there(&store, &key(1), || calls(replica, "get")).await;
    master.kill();
    until("writable again", || async {
        assert_eq!(value_in_failover(&store).await, "one");
        writer.put(&put(1, "one")).await.is_ok()
    })
    .await;
    // This store follows a little later.
    until("written by this store too", || async {
        assert_eq!(value_in_failover(&store).await, "one");
        store.put(&put(1, "two")).await.is_ok()
    })
    .await;
    assert_eq!(value(&store, 1).await, "two");
}

#[tokio::test]
async fn a_key_whose_replica_hangs_is_read_of_its_master_while_another_master_hangs() {
    let cluster = ClusterOptions::new()
        .with_node_timeout(Duration::from_secs(60))
        .start()
        .unwrap();
    let store = reader(&cluster.url(), LONG).await;
    let writer = patient(&cluster.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let master = cluster.master_of(key(1).as_str()).unwrap();
    let replica = cluster.replicas_of(master)[0];
    let elsewhere = |id: &u64| {
        let of_id = cluster.master_of(key(*id).as_str()).unwrap();
        of_id.port() != master.port()
    };
    let other = (2..).find(elsewhere).unwrap();
    until_read_there(&store, &key(1), || calls(replica, "get")).await;

    // It was just written, so it is read from its master.
    let _ = store.put(&put(other, "other")).await.unwrap();
    let hung = cluster.master_of(key(other).as_str()).unwrap();
    hung.freeze().unwrap();
    replica.freeze().unwrap();
    let mut values = store.get_many(&[key(other), key(1)]).await.into_iter();
    hung.thaw().unwrap();
    replica.thaw().unwrap();
    assert!(values.next().unwrap().is_err());
    assert_eq!(&values.next().unwrap().unwrap().unwrap().value[..], b"one");
}

/// Returns the value that `store` reads.
///
/// Between the promotion and the next refresh of the slots, the store uses the new master neither as a replica
/// nor as a master. It then sends nothing, and a retry is safe.
async fn value_in_failover(store: &RedisStore) -> String {
    for _ in 0..10_000 {
        match store.get(&key(1)).await {
            Ok(entry) => {
                let entry = entry.expect("a value");
                return String::from_utf8(entry.value.to_vec()).unwrap();
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotSent, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("no server was asked for ten seconds");
}
