//! Helpers of the tests: servers, stores, keys and programs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::program::{
    Args, Effect, Inspection, Program, Programs, Record, Script, Slot, Wire,
};
use larder_store::{Key, Kind, Put, Result, Store, Timestamp, Ttl};
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::{RedisNode, RedisServer, Reply};

pub(crate) const VALUE: Kind = Kind::evictable("value");

pub(crate) fn key(id: impl larder_store::KeyId) -> Key {
    Key::new(VALUE, id)
}

pub(crate) fn put(id: impl larder_store::KeyId, value: &'static str) -> Put {
    Put::new(key(id), value, Ttl::from_secs(60))
}

pub(crate) fn server() -> RedisServer {
    RedisServer::start().unwrap()
}

/// Makes a builder with a timeout that is long enough on a busy machine.
pub(crate) fn patient(url: &str) -> RedisStoreBuilder {
    RedisStore::builder(url).with_timeout(Duration::from_secs(5))
}

/// Like [`patient`], but shorter, for a test in which several timeouts pass while a server is down.
pub(crate) fn brisk(url: &str) -> RedisStoreBuilder {
    RedisStore::builder(url).with_timeout(BRISK)
}

/// Ten times the default.
pub(crate) const BRISK: Duration = Duration::from_secs(1);

pub(crate) async fn store(server: &RedisServer) -> Arc<RedisStore> {
    Arc::new(patient(&server.url()).connect().await.unwrap())
}

/// Makes a patient store behind a proxy of the server.
pub(crate) async fn proxied(server: &RedisServer) -> (FaultProxy, Arc<RedisStore>) {
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = patient(&proxy.url()).connect().await.unwrap();
    (proxy, Arc::new(store))
}

/// Loses the answer to the operation `sending`: the server runs `command`, `between` runs, and then the
/// connection is reset.
pub(crate) async fn losing_the_answer<T>(
    (proxy, server): (&FaultProxy, &RedisServer),
    command: &str,
    sending: impl Future<Output = T>,
    between: impl FnOnce(),
) -> T {
    let before = calls(server, command);
    proxy.delay(Direction::Replies, Duration::from_secs(3_600));
    let losing = async {
        until("carried out", || async { calls(server, command) > before }).await;
        between();
        proxy.reset();
        proxy.delay(Direction::Replies, Duration::ZERO);
    };
    tokio::join!(sending, losing).0
}

pub(crate) fn programs(store: &Arc<RedisStore>) -> Arc<dyn Programs> {
    store.clone().programs().unwrap()
}

/// A server that runs commands.
pub(crate) trait Server {
    fn ask(&self, command: &[&str]) -> io::Result<Reply>;
}

impl Server for RedisNode {
    fn ask(&self, command: &[&str]) -> io::Result<Reply> {
        self.command(command)
    }
}

impl Server for RedisServer {
    fn ask(&self, command: &[&str]) -> io::Result<Reply> {
        self.command(command)
    }
}

impl<S: Server> Server for &S {
    fn ask(&self, command: &[&str]) -> io::Result<Reply> {
        (**self).ask(command)
    }
}

pub(crate) fn ok(server: &impl Server, command: &[&str]) -> Reply {
    match server.ask(command).unwrap() {
        Reply::Error(error) => panic!("{command:?}: {error}"),
        reply => reply,
    }
}

/// Returns how often the server ran a command.
pub(crate) fn calls(server: &impl Server, command: &str) -> u64 {
    let stats = ok(server, &["INFO", "commandstats"]);
    let stats = stats.text().unwrap().into_owned();
    let calls = stats.split(&format!("cmdstat_{command}:calls=")).nth(1);
    calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
}

/// Returns how many clients the server has, except the one that asks.
pub(crate) fn clients(server: &RedisServer) -> usize {
    match ok(server, &["CLIENT", "LIST", "TYPE", "NORMAL"]) {
        Reply::Bulk(list) => String::from_utf8_lossy(&list).lines().count() - 1,
        other => panic!("{other:?}"),
    }
}

/// Waits until `done` returns true, for at most a minute: no test should fail because the machine is busy.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let started = std::time::Instant::now();
    while !done().await {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "still not {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Moves tokio's clock.
pub(crate) async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// Waits until `count` has grown by `by`, which shows that the counted work goes on.
pub(crate) async fn more(count: &AtomicU64, by: u64) {
    let enough = count.load(Ordering::Relaxed) + by;
    until("going on", || async {
        count.load(Ordering::Relaxed) >= enough
    })
    .await;
}

/// A number, as a record for programs.
pub(crate) struct Tally;

impl Record for Tally {
    const KIND: Kind = Kind::record("tally");
    const PARTS: &'static [&'static str] = &["", "log"];
    type Inspect = Look;
}

pub(crate) fn tally(id: impl larder_store::KeyId) -> Key {
    Key::new(Tally::KIND, id)
}

/// Makes a program with only a Lua form: these tests do not compare it with a Rust form.
macro_rules! lua {
    ($name:ident($($field:ident),*) -> $reply:ty, $effect:ident $(.$also:ident())?, $lua:expr,
     $read:expr) => {
        #[derive(Default)]
        pub(crate) struct $name { $(pub(crate) $field: i64),* }

        impl Program for $name {
            type Record = Tally;
            type Reply = $reply;
            const SCRIPT: &'static Script =
                &Script::new(stringify!($name), Effect::$effect, $lua)$(.$also())?;

            fn args(&self, args: &mut Args) {
                let _ = &args;
                $(args.int(self.$field);)*
            }

            fn step(&self, _: &mut Slot<'_, Tally>, _: Timestamp) -> $reply {
                unreachable!("these programs run on a server")
            }

            fn reply(&self, wire: Wire) -> Result<$reply> {
                let read: fn(Wire) -> Result<$reply> = $read;
                read(wire)
            }
        }
    };
}

lua!(Look() -> Inspection, Read, "return {'n', redis.call('GET', KEYS[1]) or 'none'}",
    Inspection::from_wire);
lua!(Add(by, ms) -> i64, Once,
    "local n = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1])
     put(KEYS[1], num(n), ARGV[2])
     return num(n)", |wire| wire.int());
lua!(Set(to, ms) -> i64, Idempotent,
    "put(KEYS[1], ARGV[1], ARGV[2]) return num(tonumber(ARGV[1]))", |wire| wire.int());
lua!(Log(ms) -> i64, Once,
    "redis.call('RPUSH', KEYS[2], 'x') ttl(KEYS[2], ARGV[1]) return redis.call('LLEN', KEYS[2])",
    |wire| wire.int());
lua!(Leak() -> (), Once, "redis.call('SET', KEYS[1], 'x') return 1", |_| Ok(()));
lua!(Remove() -> i64, Once.runs_when_full(), "return del(KEYS[1])", |wire| wire.int());
lua!(Now() -> i64, Read, "return num(now())", |wire| wire.int());
lua!(Shape() -> (i64, i64), Read, "return {#KEYS, #ARGV}", |wire| {
    let [keys, args] = wire.array()?;
    Ok((keys.int()?, args.int()?))
});
lua!(Sly() -> (), Read, "return redis.call('SET', KEYS[1], 'x', 'PX', 1000)", |_| Ok(()));
lua!(Broken() -> (), Once, "local n = 1\nlocal m = n +\nreturn m", |_| Ok(()));
lua!(Stops() -> (), Once, "local n = 1\nerror('kanarie')", |_| Ok(()));
