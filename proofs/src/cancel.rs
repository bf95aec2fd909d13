//! Operations that are dropped at random points, and replies that are damaged: no answer is ever
//! another key's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Key, Kind, Put, Store, Ttl};
use larder_test::server::RedisServer;
use tokio::task::yield_now;

use crate::{Table, damage};

const NOTE: Kind = Kind::pinned("note");
const KEYS: u32 = 1_000;
const TASKS: u64 = 64;
const HOUR: Duration = Duration::from_secs(3_600);

/// The outcomes of the operations.
#[derive(Debug, Default)]
pub struct Tally {
    answered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    wrong: AtomicU64,
}

impl Tally {
    /// Answers that were another key's.
    pub fn wrong(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Operations that were dropped before their answer.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Operations that were answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Drops a million operations, and reads damaged replies.
#[must_use]
pub fn prove() -> Table {
    let mut table = Table::new()
        .column("what")
        .column("operations")
        .measured("answered")
        .measured("dropped")
        .measured("failed, or missed")
        .column("wrong answers");
    let operations = 1_000_000;
    let tally = on_redis(operations, 1);
    let row = [&tally.answered, &tally.dropped, &tally.failed, &tally.wrong];
    let counted = row.map(|count| count.load(Ordering::Relaxed).to_string());
    let mut cells = vec![
        "dropped at random points".to_owned(),
        operations.to_string(),
    ];
    cells.extend(counted);
    table.row(cells);
    table.bar(tally.wrong() == 0, || {
        format!("{} answers were another key's", tally.wrong())
    });
    table.bar(tally.dropped() > operations / 10, || {
        format!("only {} operations were dropped", tally.dropped())
    });
    // Without answers there is nothing that could be another key's.
    table.bar(tally.answered() > operations / 10, || {
        format!("only {} operations were answered", tally.answered())
    });
    damage::prove(&mut table);
    table
}

/// Runs `operations` on a server of its own; a part of them is dropped before the answer comes.
#[must_use]
pub fn on_redis(operations: u64, seed: u64) -> Tally {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = RedisServer::start().expect("a redis-server");
    runtime.block_on(async {
        let builder = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
        let store: Arc<dyn Store> = Arc::new(builder.connect().await.expect("a connection"));
        on(&store, operations, seed).await
    })
}

/// Runs `operations` on `store`; a part of them is dropped before the answer comes.
pub async fn on(store: &Arc<dyn Store>, operations: u64, seed: u64) -> Tally {
    let tally = Arc::new(Tally::default());
    for id in 0..KEYS {
        let _ = store.put(&write(id)).await.expect("a put");
    }
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, tally) = (store.clone(), tally.clone());
            let random = fastrand::Rng::with_seed(seed ^ (task << 32));
            tokio::spawn(work(store, tally, random, operations / TASKS))
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that works");
    }
    Arc::into_inner(tally).expect("no task is left")
}

async fn work(
    store: Arc<dyn Store>,
    tally: Arc<Tally>,
    mut random: fastrand::Rng,
    operations: u64,
) {
    for _ in 0..operations {
        let id = random.u32(..KEYS);
        // A timer would be too coarse for what takes some fifty microseconds.
        let patience = match random.u8(..4) {
            0 => usize::MAX,
            _ => random.usize(..12),
        };
        let kind = random.u8(..8);
        let ids: Vec<_> = (0..3).map(|_| random.u32(..KEYS)).collect();
        let count = tokio::select! {
            biased;
            answer = ask(&store, kind, id, &ids) => match answer {
                Ok(true) => &tally.answered,
                Ok(false) => &tally.wrong,
                Err(_) => &tally.failed,
            },
            () = turns(patience) => &tally.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets all other tasks have their turn, that many times.
async fn turns(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Runs one operation, and returns whether its answer is its own.
async fn ask(store: &Arc<dyn Store>, kind: u8, id: u32, ids: &[u32]) -> larder_store::Result<bool> {
    match kind {
        0 => Ok(store.put(&write(id)).await?.is_stored()),
        1 => {
            let keys: Vec<_> = ids.iter().map(|id| Key::new(NOTE, *id)).collect();
            let answers = store.get_many(&keys).await;
            let mut own = answers.len() == ids.len();
            for (id, entry) in ids.iter().zip(answers) {
                own &= entry?.is_some_and(|entry| entry.value == text(*id));
            }
            Ok(own)
        }
        2 => {
            let left = store.ttl(&Key::new(NOTE, id)).await?;
            let own = Duration::from(ttl(id));
            // The next shorter one is an hour shorter, and this takes minutes.
            let left = left.map(Duration::from);
            Ok(left.is_some_and(|left| (own - HOUR..=own).contains(&left)))
        }
        _ => {
            let entry = store.get(&Key::new(NOTE, id)).await?;
            Ok(entry.is_some_and(|entry| entry.value == text(id)))
        }
    }
}

fn write(id: u32) -> Put {
    Put::new(Key::new(NOTE, id), text(id), ttl(id))
}

/// Returns a TTL that no other key has.
fn ttl(id: u32) -> Ttl {
    Ttl::covering(HOUR * (2 + id))
}

/// Returns a value that names its key, with a length that depends on it.
fn text(id: u32) -> String {
    format!("{id} ").repeat(1 + id as usize % 64)
}
