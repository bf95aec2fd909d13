//! Damages replies, and checks that no reader gets a wrong value.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_cache::Cache;
use larder_redis::RedisStore;
use larder_store::{Key, Kind, Put, Store, Ttl};
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::RedisServer;
use tokio::time::sleep;

use crate::Table;

const PAGE: Kind = Kind::evictable("page");
const HOUR: Ttl = Ttl::from_secs(3_600);
const KEYS: u32 = 500;
/// Each dials up to eight times a second, so that many are often connected.
const CONNECTIONS: u64 = 8;
const TASKS: u64 = 8;

/// The damage to replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// They are cut, in pieces and slow.
    Torn,
    /// Bits in them flip, too.
    Flipped,
}

/// The reader of damaged replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The store itself: the bytes as they come.
    Store,
    /// A cache over the store, with a near tier that holds next to nothing.
    Cache,
}

/// The outcomes of the reads.
#[derive(Debug, Default)]
pub struct Tally {
    right: AtomicU64,
    failed: AtomicU64,
    wrong: AtomicU64,
    corrupted: AtomicU64,
    connections: AtomicU64,
}

impl Tally {
    /// Values out of the store that were what had been written.
    pub fn right(&self) -> u64 {
        self.right.load(Ordering::Relaxed)
    }

    /// Reads that failed, and those of a cache that were misses.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Values that were not what had been written under their key.
    pub fn wrong(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Bytes that were changed on their way.
    pub fn corrupted(&self) -> u64 {
        self.corrupted.load(Ordering::Relaxed)
    }

    /// Connections that there were.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Adds a row for the store and one for the cache.
pub fn prove(table: &mut Table) {
    let operations = 200_000;
    for (what, reader, damage) in [
        (
            "replies cut, sliced and slow, to a store",
            Reader::Store,
            Damage::Torn,
        ),
        (
            "bits flipped besides, to a cache",
            Reader::Cache,
            Damage::Flipped,
        ),
    ] {
        let tally = on_redis(reader, damage, operations, 1);
        let dropped = 0;
        let counted = [tally.right(), dropped, tally.failed(), tally.wrong()];
        let mut cells = vec![what.to_owned(), operations.to_string()];
        cells.extend(counted.map(|count| count.to_string()));
        table.row(cells);
        table.bar(tally.wrong() == 0, || {
            format!("{what}: {} values were wrong", tally.wrong())
        });
        table.bar(tally.right() > operations / 10, || {
            format!("{what}: only {} reads were answered", tally.right())
        });
        table.bar(tally.connections() > 2 * CONNECTIONS, || {
            format!("{what}: only {} connections", tally.connections())
        });
        let is_damaged = tally.corrupted() > 100;
        table.bar(is_damaged == (damage == Damage::Flipped), || {
            format!("{what}: {} bytes were changed", tally.corrupted())
        });
    }
}

/// Runs so many reads, with writes among them, on a server of its own.
#[must_use]
pub fn on_redis(reader: Reader, damage: Damage, operations: u64, seed: u64) -> Tally {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = RedisServer::start().expect("a redis-server");
    runtime.block_on(run(&server, reader, damage, operations, seed))
}

async fn run(
    server: &RedisServer,
    reader: Reader,
    damage: Damage,
    operations: u64,
    seed: u64,
) -> Tally {
    let tally = Arc::new(Tally::default());
    let proxy = FaultProxy::start(server.address()).expect("a proxy");
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        let store = RedisStore::connect(&proxy.url())
            .await
            .expect("a connection");
        readers.push(Reading::on(Arc::new(store), reader));
    }
    for id in 0..KEYS {
        readers[0].write(id).await.expect("a write without faults");
    }
    let done = AtomicBool::new(false);
    let each = operations / (CONNECTIONS * TASKS);
    let work = async {
        let mut tasks = Vec::new();
        for (number, reading) in (0..CONNECTIONS * TASKS).zip(readers.iter().cycle()) {
            let (reading, tally) = (reading.clone(), tally.clone());
            let random = fastrand::Rng::with_seed(seed ^ (number << 32));
            tasks.push(tokio::spawn(read(reading, tally, random, each)));
        }
        for task in tasks {
            task.await.expect("a task that works");
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(work, spoil(&proxy, damage, seed, &done));
    tally
        .corrupted
        .store(proxy.bytes_corrupted(), Ordering::Relaxed);
    let accepted = proxy.accepted();
    tally.connections.store(accepted, Ordering::Relaxed);
    Arc::into_inner(tally).expect("no task is left")
}

/// Changes what is wrong every few milliseconds, until it is `done`.
async fn spoil(proxy: &FaultProxy, damage: Damage, seed: u64, done: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut steps = (0..4).cycle();
    while !done.load(Ordering::Relaxed) {
        let replies = Direction::Replies;
        match steps.next() {
            Some(0) => proxy.cut_every_after(replies, random.u64(1..20_000)),
            Some(1) => proxy.slice(replies, NonZeroUsize::new(random.usize(1..100))),
            Some(2) => proxy.throttle(replies, NonZeroU32::new(random.u32(100_000..4_000_000))),
            _ => proxy.delay(replies, Duration::from_millis(random.u64(1..20))),
        }
        if damage == Damage::Flipped {
            proxy.corrupt_replies(random.u64(..), NonZeroU32::new(random.u32(2_000..50_000)));
        }
        sleep(Duration::from_millis(random.u64(5..50))).await;
        if random.u8(..3) == 0 {
            proxy.heal().expect("a proxy that listens");
        }
    }
}

async fn read(reading: Reading, tally: Arc<Tally>, mut random: fastrand::Rng, operations: u64) {
    for _ in 0..operations {
        let id = random.u32(..KEYS);
        if random.u8(..16) == 0 {
            // Its answer may be anything; what is there is the same before and after.
            let _ = reading.write(id).await;
        }
        let count = match reading.read(id).await {
            Read::Value(value) if value == text(id) => &tally.right,
            Read::Value(_) => &tally.wrong,
            Read::Nothing => &tally.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if std::ptr::eq(count, &tally.failed) {
            // A store that is not connected says so at once.
            sleep(Duration::from_millis(1)).await;
        }
    }
}

enum Read {
    Value(Vec<u8>),
    /// A miss, or an error.
    Nothing,
}

#[derive(Clone)]
enum Reading {
    Store(Arc<dyn Store>),
    Cache(Cache<u32, String>),
}

impl Reading {
    fn on(store: Arc<dyn Store>, reader: Reader) -> Self {
        match reader {
            Reader::Store => Self::Store(store),
            Reader::Cache => {
                let cache = Cache::builder(PAGE, HOUR).with_far(store);
                Self::Cache(cache.with_max_near_entries(1).build().expect("a cache"))
            }
        }
    }

    async fn write(&self, id: u32) -> larder_store::Result<()> {
        match self {
            Self::Store(store) => {
                let put = Put::new(Key::new(PAGE, id), text(id), HOUR);
                store.put(&put).await.map(drop)
            }
            Self::Cache(cache) => cache.insert(id, text_of(id)).await,
        }
    }

    async fn read(&self, id: u32) -> Read {
        match self {
            Self::Store(store) => match store.get(&Key::new(PAGE, id)).await {
                Ok(Some(entry)) => Read::Value(entry.value.to_vec()),
                Ok(None) | Err(_) => Read::Nothing,
            },
            Self::Cache(cache) => {
                let load = || async move { Ok::<_, std::io::Error>(text_of(id)) };
                match cache.find_or_load(&id, load).await {
                    Ok(found) if found.source.is_hit() || *found.value != text_of(id) => {
                        Read::Value(found.value.as_bytes().to_vec())
                    }
                    Ok(_) | Err(_) => Read::Nothing,
                }
            }
        }
    }
}

/// Returns a value that names its key, with a length that depends on it.
fn text_of(id: u32) -> String {
    format!("{id} ").repeat(1 + id as usize % 64)
}

fn text(id: u32) -> Vec<u8> {
    text_of(id).into_bytes()
}
