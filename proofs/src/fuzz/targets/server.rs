//! A Redis server into which others write.

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::server::{Connection, RedisServer, Reply};
use tokio::runtime::Runtime;

use super::runtime;
use crate::fuzz::mutate::mutate;

/// How long a call may take: a program that loops takes longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Server {
    // Dropped before the server that it talks to.
    pub(super) store: Arc<dyn Store>,
    pub(super) runtime: Runtime,
    connection: Connection,
    _server: RedisServer,
}

impl Server {
    pub(super) fn start() -> Self {
        let (server, runtime) = (RedisServer::start().expect("a redis-server"), runtime());
        let store = RedisStore::builder(&server.url()).with_timeout(TIMEOUT);
        let store = runtime.block_on(store.connect()).expect("a connection");
        Self {
            store: Arc::new(store),
            runtime,
            connection: server.connect().expect("the server"),
            _server: server,
        }
    }

    pub(super) fn empty(&mut self) {
        call(&mut self.connection, &[b"FLUSHALL"]);
    }

    /// Changes the value of one key.
    pub(super) fn corrupt(&mut self, random: &mut fastrand::Rng) {
        corrupt(&mut self.connection, random);
    }
}

/// Changes the value of one key, as its type permits.
fn corrupt(connection: &mut Connection, random: &mut fastrand::Rng) {
    let keys = call(connection, &[b"KEYS", b"*"]);
    let keys: Vec<_> = keys.array().unwrap_or_default().iter().map(bytes).collect();
    if keys.is_empty() {
        return;
    }
    let key = &keys[random.usize(..keys.len())][..];
    let mut changed = |bytes: Vec<u8>| {
        let mut bytes = bytes;
        mutate(&mut bytes, 0, random);
        bytes
    };
    match call(connection, &[b"TYPE", key]).text().as_deref() {
        Some("string") => {
            let value = changed(bytes(&call(connection, &[b"GET", key])));
            call(connection, &[b"SET", key, &value, b"PX", b"3600000"]);
        }
        Some("hash") => {
            let pairs = call(connection, &[b"HGETALL", key]);
            let pairs: Vec<_> = pairs
                .array()
                .unwrap_or_default()
                .iter()
                .map(bytes)
                .collect();
            if let [field, value, ..] = &pairs[..] {
                call(connection, &[b"HSET", key, field, &changed(value.clone())]);
                call(connection, &[b"HSET", key, &changed(field.clone()), value]);
            }
        }
        Some("zset") => {
            let members = call(connection, &[b"ZRANGE", key, b"0", b"-1"]);
            let member = members.array().unwrap_or_default().first().map(bytes);
            let member = changed(member.unwrap_or_default());
            for score in [&b"-inf"[..], b"1e300", b"0.5"] {
                call(connection, &[b"ZADD", key, score, &member]);
            }
        }
        Some("list") => {
            let first = bytes(&call(connection, &[b"LINDEX", key, b"0"]));
            call(connection, &[b"LSET", key, b"0", &changed(first)]);
        }
        Some("set") => drop(call(
            connection,
            &[b"SADD", key, &changed(b"anna".to_vec())],
        )),
        _ => {}
    }
}

fn call(connection: &mut Connection, words: &[&[u8]]) -> Reply {
    connection.call(words).expect("an answer of the server")
}

fn bytes(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes.clone(),
        _ => Vec::new(),
    }
}
