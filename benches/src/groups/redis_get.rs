//! A GET on Redis, beside a raw multiplexed connection and beside bb8-redis with and without a test of each connection.

use std::sync::Arc;

use bb8_redis::RedisConnectionManager;
use larder_redis::RedisStore;
use larder_store::{Key, Kind, Put, Store, Ttl};
use redis::AsyncCommands;

use crate::harness::{Bar, Row, compare, counted};
use crate::load::{raw_connection, runtime, tasks};

const FILM: Kind = Kind::evictable("film");
const OPERATIONS: usize = 48_000;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let (store, raw) = runtime.block_on(connect(url));
    let mut rows = Vec::new();

    for count in [1, 16, 64, 256] {
        let each = if count == 1 {
            4_000
        } else {
            OPERATIONS / count
        };
        rows.push(compare(
            format!("Redis GET, {}", counted(count, "task")),
            15,
            (
                "RedisStore",
                Box::new(|| tasks(&runtime, count, each, |_| ours(store.clone(), each))),
            ),
            (
                "one multiplexed connection",
                Box::new(|| tasks(&runtime, count, each, |_| theirs(raw.clone(), each))),
            ),
            Bar::ThroughputAtLeast(0.9),
        ));
    }
    let (count, each) = (64, OPERATIONS / 64);
    for (peer, test, bar) in [
        (
            "bb8-redis, 16 connections, each tested before use",
            true,
            Bar::ThroughputAtLeast(4.5),
        ),
        ("bb8-redis, 16 connections, not tested", false, Bar::None),
    ] {
        let pool = runtime.block_on(pool(url, test));
        let row = compare(
            format!("Redis GET, {}", counted(count, "task")),
            9,
            (
                "RedisStore",
                Box::new(|| tasks(&runtime, count, each, |_| ours(store.clone(), each))),
            ),
            (
                peer,
                Box::new(|| tasks(&runtime, count, each, |_| pooled(pool.clone(), each))),
            ),
            bar,
        );
        rows.push(match test {
            true => row.with_note("as bb8-redis comes"),
            false => row,
        });
    }
    rows
}

async fn connect(url: &str) -> (Arc<dyn Store>, redis::aio::MultiplexedConnection) {
    let store: Arc<dyn Store> = Arc::new(RedisStore::connect(url).await.expect("a store"));
    let put = Put::new(key(), vec![7; 100], Ttl::from_secs(3600));
    let _ = store.put(&put).await.expect("the value is put");

    let mut raw = raw_connection(url).await;
    let () = raw
        .set("raw", vec![7; 116])
        .await
        .expect("the value is put");
    (store, raw)
}

async fn pool(url: &str, test: bool) -> bb8::Pool<RedisConnectionManager> {
    let manager = RedisConnectionManager::new(url).expect("a URL");
    let pool = bb8::Pool::builder().max_size(16).test_on_check_out(test);
    pool.build(manager).await.expect("a pool")
}

fn key() -> Key {
    Key::new(FILM, 42_u32)
}

async fn ours(store: Arc<dyn Store>, operations: usize) {
    let key = key();
    for _ in 0..operations {
        let entry = store.get(&key).await.expect("Redis answers");
        assert_eq!(entry.expect("a hit").value.len(), 100);
    }
}

async fn theirs(mut raw: redis::aio::MultiplexedConnection, operations: usize) {
    for _ in 0..operations {
        let value: Vec<u8> = raw.get("raw").await.expect("Redis answers");
        assert_eq!(value.len(), 116);
    }
}

async fn pooled(pool: bb8::Pool<RedisConnectionManager>, operations: usize) {
    for _ in 0..operations {
        let mut connection = pool.get().await.expect("a connection");
        let value: Vec<u8> = connection.get("raw").await.expect("Redis answers");
        assert_eq!(value.len(), 116);
    }
}
