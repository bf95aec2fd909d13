use std::time::Duration;

use larder_redis::RedisStore;
use larder_redis::redis::bb8_redis::{RedisConnectionManager, bb8::Pool};
use larder_redis::redis::from_pool;
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::RedisOptions;

use super::{LONG, Pair, reader, until_read_there, value};
use crate::log::Log;
use crate::support::{calls, key, ok, patient, put, server, until};

/// The shortest maximum staleness that the builder accepts.
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_staleness_too_short_to_be_measured_is_refused_before_anybody_is_dialed() {
    let builder = RedisStore::builder("redis://127.0.0.1:1");
    let builder = builder.with_replica_reads(Duration::from_millis(99));
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("at least 100ms"), "{error}");
}

#[tokio::test]
async fn a_pool_of_the_app_has_no_replicas() {
    let server = server();
    let manager = RedisConnectionManager::new(server.url()).unwrap();
    let pool = Pool::builder().build(manager).await.unwrap();
    let connecting = from_pool(pool).with_replica_reads(LONG).connect();
    let error = connecting.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(
        error.to_string().contains("the URL of the server"),
        "{error}"
    );
}

#[tokio::test]
async fn connecting_reports_a_user_who_may_not_run_info() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* &* +@all -info")
        .start()
        .unwrap();
    let url = server.url_as("app", "secret");
    let connecting = patient(&url).with_replica_reads(LONG).connect();
    let error = connecting.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied), "{error}");
    assert!(error.to_string().contains("grant +info"), "{error}");
}

#[tokio::test]
async fn a_replica_that_refuses_info_is_not_read_and_that_is_logged_once() {
    let (log, _logging) = Log::open();
    let pair = Pair::start().await;
    ok(&pair.replica, &["ACL", "SETUSER", "default", "-info"]);
    let store = reader(&pair.master.url(), SHORT).await;
    let _ = store.put(&put(1, "one")).await.unwrap();
    until("told", || async { log.read().contains("+info") }).await;
    // Time for some more checks.
    tokio::time::sleep(3 * SHORT).await;
    assert_eq!(value(&store, 1).await, "one");
    assert_eq!(log.read().matches("+info").count(), 1);
    ok(&pair.replica, &["ACL", "SETUSER", "default", "+info"]);
    assert_eq!(calls(&pair.replica, "get"), 0);
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;
}

#[tokio::test]
async fn a_server_without_replicas_is_read_itself() {
    let server = server();
    let store = reader(&server.url(), LONG).await;
    let _ = store.put(&put(1, "one")).await.unwrap();
    assert_eq!(value(&store, 1).await, "one");
}

#[tokio::test]
async fn no_staleness_is_too_long() {
    let server = server();
    for most in [Duration::from_micros(u64::MAX - 1), Duration::MAX] {
        let store = reader(&server.url(), most).await;
        let _ = store.put(&put(1, "one")).await.unwrap();
        assert_eq!(value(&store, 1).await, "one");
    }
}
