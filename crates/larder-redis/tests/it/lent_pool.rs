use std::sync::Arc;
use std::time::Duration;

use larder_redis::redis::bb8_redis::{RedisConnectionManager, bb8::Pool, redis::AsyncCommands};
use larder_redis::redis::from_pool;
use larder_store::{ErrorKind, Store};
use larder_test::server::RedisServer;

use crate::support::{Add, BRISK, clients, key, ok, programs, put, server, tally, until};

async fn pool(server: &RedisServer, tested: Tested) -> Pool<RedisConnectionManager> {
    let manager = RedisConnectionManager::new(server.url()).unwrap();
    let pool = Pool::builder()
        .max_size(1)
        .test_on_check_out(tested == Tested::Yes);
    pool.build(manager).await.unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tested {
    Yes,
    No,
}

#[tokio::test]
async fn a_store_works_on_a_pool_of_the_app_and_leaves_it_its_connections() {
    let server = server();
    let pool = pool(&server, Tested::Yes).await;
    let store = from_pool(pool.clone())
        .with_timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap();
    let store = Arc::new(store);
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
    let add = Add { by: 1, ms: 60_000 };
    assert_eq!(programs(&store).run(&tally(1), &add).await.unwrap(), 1);
    // The pool has one connection: the store shares it, and the app can still check it out.
    assert_eq!(clients(&server), 1);
    let mut connection = pool.get().await.unwrap();
    let bytes: Vec<u8> = connection.get(key(1).as_str()).await.unwrap();
    assert_eq!(&bytes[16..], b"one");
    assert_eq!(store.location(), "redis:// (a pool of the app)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_a_pool_recovers_whether_or_not_the_pool_tests() {
    for tested in [Tested::Yes, Tested::No] {
        let mut server = server();
        let pool = pool(&server, tested).await;
        let store = from_pool(pool).with_timeout(BRISK).connect().await.unwrap();
        let _ = store.put(&put(1, "one")).await.unwrap();
        for _ in 0..3 {
            ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
            until("back", || async { store.get(&key(1)).await.is_ok() }).await;
        }
        server.kill();
        until("given up", || async {
            let error = store.get(&key(1)).await.err();
            error.is_some_and(|error| error.kind() == ErrorKind::NotSent)
        })
        .await;
        server.restart().unwrap();
        until("back", || async { store.get(&key(1)).await.is_ok() }).await;
    }
}
