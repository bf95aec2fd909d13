//! Reads from replicas: which replicas are read, how stale they may be, and what happens when servers fail.

mod changed;
mod failures;
mod refused;
mod serving;
mod staleness;

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Key, KeyId, Store};
use larder_test::server::{RedisServer, Reply};

use crate::support::{key, ok, server, until};

/// Longer than any of these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A master and one replica that has caught up with it.
struct Pair {
    master: RedisServer,
    replica: RedisServer,
}

impl Pair {
    async fn start() -> Self {
        let (master, replica) = (server(), server());
        ok(&master, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        let port = master.port().to_string();
        ok(&replica, &["REPLICAOF", "127.0.0.1", &port]);
        let pair = Self { master, replica };
        until("a replica", || async { pair.is_linked() }).await;
        pair
    }

    fn is_linked(&self) -> bool {
        let replication = info(&self.replica, "replication");
        replication.contains("master_link_status:up")
    }

    /// Disconnects the replica from its master. It still answers with the data that it has.
    fn part(&self) {
        ok(&self.replica, &["REPLICAOF", "127.0.0.1", "1"]);
        assert!(!self.is_linked());
    }
}

/// Makes a store that reads from replicas.
async fn reader(url: &str, max_staleness: Duration) -> Arc<RedisStore> {
    let builder = RedisStore::builder(url)
        .with_timeout(Duration::from_secs(2))
        .with_replica_reads(max_staleness);
    Arc::new(builder.connect().await.unwrap())
}

/// Returns the value of `id` in `store`.
async fn value(store: &RedisStore, id: impl KeyId) -> String {
    let entry = store.get(&key(id)).await.unwrap().expect("a value");
    String::from_utf8(entry.value.to_vec()).unwrap()
}

/// Waits until `store` reads from a server, whose calls `calls` returns.
pub(crate) async fn until_read_there(store: &RedisStore, key: &Key, calls: impl Fn() -> u64) {
    until("read of a replica", || async {
        let before = calls();
        // On a busy machine not every node is connected at once.
        store.get(key).await.is_ok() && calls() > before
    })
    .await;
}

fn info(server: &RedisServer, section: &str) -> String {
    match ok(server, &["INFO", section]) {
        Reply::Bulk(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}
