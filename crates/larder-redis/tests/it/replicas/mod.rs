//! Writes that replicas confirm: what a confirmation guarantees, and what a missing one means.

mod batches;
mod failover;
mod refused;
mod writes;

use std::num::NonZeroU8;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::{Error, ErrorKind, Key, Result};
use larder_test::server::{RedisNode, RedisSentinels};
use tokio::sync::{Mutex, MutexGuard};

/// How long the store waits for replicas: while they run, even on a busy machine, and while they do not.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(250);

/// Returns a master with two replicas, which one test at a time may freeze.
async fn trio() -> (&'static RedisSentinels, MutexGuard<'static, ()>) {
    static TRIO: LazyLock<RedisSentinels> = LazyLock::new(|| RedisSentinels::start().unwrap());
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    (&TRIO, turn)
}

/// Makes a store whose writes `number` replicas must confirm.
async fn confirmed(url: &str, number: u8, within: Duration) -> Arc<RedisStore> {
    let number = NonZeroU8::new(number).unwrap();
    let builder = confirming(url, number, within);
    Arc::new(builder.connect().await.unwrap())
}

fn confirming(url: &str, number: NonZeroU8, within: Duration) -> RedisStoreBuilder {
    let builder = RedisStore::builder(url).with_timeout(2 * LONG);
    builder.with_replicas(number, within)
}

/// Returns the servers that are not the master.
fn replicas(trio: &RedisSentinels) -> Vec<&RedisNode> {
    let master = trio.master().unwrap().port();
    let servers = trio.servers().iter();
    servers.filter(|it| it.port() != master).collect()
}

/// Replicas that are frozen until this is dropped.
struct Frozen<'a>(Vec<&'a RedisNode>);

impl<'a> Frozen<'a> {
    fn new(replicas: Vec<&'a RedisNode>) -> Self {
        for replica in &replicas {
            replica.freeze().unwrap();
        }
        Self(replicas)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        for replica in &self.0 {
            // It fails if the process was killed in the meantime.
            let _ = replica.thaw();
        }
    }
}

/// Returns whether a server has a key.
fn has(node: &RedisNode, key: &Key) -> bool {
    let reply = node.command(&["EXISTS", key.as_str()]).unwrap();
    reply.int() == Some(1)
}

/// Returns the error of an operation that ran, but was not confirmed.
fn unconfirmed<T>(result: Result<T>) -> Error {
    let error = result.err().expect("an error");
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    assert!(
        error
            .to_string()
            .contains("a failover may undo what it wrote"),
        "{error}"
    );
    error
}
