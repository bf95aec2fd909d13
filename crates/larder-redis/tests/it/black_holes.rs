//! Connections on which no answers arrive, although the server works.

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::proxy::{Connections, Direction, FaultProxy};
use larder_test::server::RedisServer;
use tokio::time::timeout;

use crate::support::{calls, key, put, server, until};

pub(crate) async fn behind(server: &RedisServer) -> (FaultProxy, Arc<RedisStore>) {
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = RedisStore::builder(&proxy.url()).with_timeout(Duration::from_millis(500));
    let store = store.connect().await.unwrap();
    (proxy, Arc::new(store))
}

#[tokio::test]
async fn a_black_hole_is_left_when_no_caller_waits_for_the_deadline() {
    let server = server();
    let (proxy, store) = behind(&server).await;
    let _ = store.put(&put(1, "a")).await.unwrap();
    proxy.black_hole(Connections::Open);
    let started = Instant::now();
    until("answered", || async {
        let answer = timeout(Duration::from_millis(100), store.get(&key(1))).await;
        matches!(answer, Ok(Ok(Some(_))))
    })
    .await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn the_error_of_a_command_about_the_server_names_the_time_that_it_had() {
    let server = server();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = RedisStore::builder(&proxy.url())
        .with_timeout(Duration::from_millis(500))
        .with_connect_timeout(Duration::from_millis(700));
    let store = store.connect().await.unwrap();
    proxy.black_hole(Connections::Open);
    let answer = store.admin().servers()[0].run(&[b"TIME"]).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("did not answer within 700ms"), "{error}");
}

#[tokio::test]
async fn a_slow_connection_is_kept_even_if_callers_do_not_wait_for_it() {
    let server = server();
    let (proxy, store) = behind(&server).await;
    proxy.delay(Direction::Replies, Duration::from_millis(30));
    let before = calls(&server, "ping");
    until("asked three times", || async {
        for _ in 0..5 {
            let answer = timeout(Duration::from_millis(5), store.get(&key(1))).await;
            assert!(answer.is_err());
        }
        calls(&server, "ping") >= before + 3
    })
    .await;
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    assert_eq!(proxy.accepted(), 1);
}
