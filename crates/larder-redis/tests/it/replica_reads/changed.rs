//! Replicas that change after they were checked.

use larder_redis::RedisStore;
use larder_store::{Key, Store};
use larder_test::server::RedisServer;

use super::{LONG, Pair, reader, until_read_there, value};
use crate::support::{calls, key, ok, patient, put, server, until};

#[tokio::test]
async fn a_replica_that_comes_back_empty_is_not_read() {
    let mut pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    pair.replica.restart().unwrap();
    let dialed = || calls(&pair.replica, "hello") > 0;
    until("dialed again", || async {
        assert_eq!(value(&store, 1).await, "one");
        dialed()
    })
    .await;
    for _ in 0..50 {
        assert_eq!(value(&store, 1).await, "one");
        let many = store.get_many(&[key(1)]).await.remove(0).unwrap();
        assert_eq!(&many.expect("a value").value[..], b"one");
    }
    assert_eq!(calls(&pair.replica, "get"), 0);
}

#[tokio::test]
async fn a_replica_whose_connection_breaks_while_the_master_is_away_is_read_on_the_next() {
    let mut pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    pair.master.kill();
    ok(&pair.replica, &["CLIENT", "KILL", "TYPE", "NORMAL"]);
    until("read again", || async {
        store.get(&key(1)).await.is_ok_and(|entry| entry.is_some())
    })
    .await;
    assert_eq!(value(&store, 1).await, "one");
}

#[tokio::test]
async fn a_replica_that_has_another_master_is_left_at_the_next_look() {
    let pair = Pair::start().await;
    let other = server();
    let writer = patient(&other.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "other")).await.unwrap();
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    ok(&other, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    let port = other.port().to_string();
    ok(&pair.replica, &["REPLICAOF", "127.0.0.1", &port]);
    until("another's", || async { pair.is_linked() }).await;
    until_left(&store, &key(1), &pair.replica).await;
    for _ in 0..50 {
        assert_eq!(value(&store, 1).await, "one");
    }
}

#[tokio::test]
async fn a_replica_that_was_made_a_master_beside_its_own_is_left_at_the_next_look() {
    let pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    ok(&pair.replica, &["REPLICAOF", "NO", "ONE"]);
    ok(&pair.replica, &["FLUSHALL"]);
    until_left(&store, &key(1), &pair.replica).await;
    for _ in 0..50 {
        assert_eq!(value(&store, 1).await, "one");
    }
}

/// Waits until `store` no longer reads from `replica`.
async fn until_left(store: &RedisStore, key: &Key, replica: &RedisServer) {
    until("read of the master", || async {
        let before = calls(replica, "get");
        store.get(key).await.unwrap();
        calls(replica, "get") == before
    })
    .await;
}
