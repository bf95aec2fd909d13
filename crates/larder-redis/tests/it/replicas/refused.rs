use std::num::NonZeroU8;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Delete, ErrorKind, Refusal, SettleOutcome, Store, StoreExt};
use larder_test::proxy::FaultProxy;
use larder_test::server::RedisOptions;

use super::{LONG, SHORT, confirming, unconfirmed};
use crate::support::{Set, calls, key, patient, programs, put, server, tally};

const ONE: NonZeroU8 = NonZeroU8::MIN;

#[tokio::test]
async fn a_wait_as_long_as_the_timeout_or_of_zero_is_refused_before_anything_is_dialed() {
    for (within, deadline) in [(100, 100), (200, 100), (0, 100)] {
        let builder = RedisStore::builder("redis://127.0.0.1:1")
            .with_replicas(ONE, Duration::from_millis(within))
            .with_timeout(Duration::from_millis(deadline));
        let error = builder.connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(
            error.to_string().contains("less than the store's timeout"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn connecting_reports_a_user_who_may_not_wait() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* &* +@all -wait")
        .start()
        .unwrap();
    let url = server.url_as("app", "secret");
    let connecting = patient(&url).with_replicas(ONE, SHORT).connect();
    let error = connecting.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied), "{error}");
    assert!(error.to_string().contains("grant +wait"), "{error}");
    let store = patient(&url).connect().await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
}

#[tokio::test]
async fn a_server_without_replicas_is_connected_to_and_confirms_nothing() {
    let server = server();
    let store = patient(&server.url()).with_replicas(ONE, SHORT);
    let store = store.connect().await.unwrap();
    let error = unconfirmed(store.put(&put(1, "x")).await);
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
    assert!(store.get(&key(1)).await.unwrap().is_some());
    // The time for replicas may be longer than the connect timeout.
    let patiently = confirming(&server.url(), ONE, LONG);
    patiently.connect().await.unwrap();
}

#[tokio::test]
async fn a_write_that_ends_by_its_deadline_leaves_the_others_theirs() {
    let server = server();
    let store = RedisStore::builder(&server.url())
        .with_timeout(Duration::from_millis(400))
        .with_replicas(ONE, Duration::from_millis(100));
    let store = store.connect().await.unwrap();
    let began = std::time::Instant::now();
    let error = store.put(&put(1, "x")).await;
    unconfirmed(error);
    // The deadline, with some time for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_lost_write_is_neither_sent_again_nor_acknowledged_by_reading_it_back() {
    let server = server();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = patient(&proxy.url()).with_replicas(ONE, SHORT);
    let store = std::sync::Arc::new(store.connect().await.unwrap());
    let programs = programs(&store);
    let set = Set { to: 7, ms: 60_000 };
    unconfirmed(programs.run(&tally(1), &set).await);

    let value = put(1, "x");
    proxy.drop_replies(1);
    let error = store.put(&value).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    assert_eq!(store.settle(&value).await.unwrap(), SettleOutcome::Stored);
    proxy.drop_replies(1);
    for result in store.put_many(&[put(2, "x"), put(3, "x")]).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::MayHaveRun);
    }
    // So that the store is connected before each lost answer.
    store.get(&key(1)).await.unwrap();
    let before = calls(&server, "evalsha");
    proxy.drop_replies(1);
    let error = programs.run(&tally(1), &set).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    store.get(&key(1)).await.unwrap();
    assert_eq!(calls(&server, "evalsha"), before + 1);
    proxy.drop_replies(1);
    let error = store.delete(&Delete::new(key(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    // Commands that only read are repeated as usual.
    proxy.drop_replies(1);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}
