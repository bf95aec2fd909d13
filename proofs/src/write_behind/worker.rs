//! One process: writes behind, acknowledges, and carries out what waits, until it is killed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, QueuedWrite, WriteBehind, WriteBehindBuilder};
use larder_redis::RedisStore;
use larder_store::{Kind, Store, Ttl};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::checker::Acknowledged;
use super::round::Source;

const VIEWS: Kind = Kind::evictable("views");

/// The name of the journal.
pub(super) const JOURNAL: &str = "views";

/// The keys of each process, each with a task that writes it.
pub(super) const KEYS: u32 = 8;

/// How long the source may take for a write. A write that a dead process had taken is taken again
/// after twice that, and the timeout of the journal.
const WRITE_TIMEOUT: Duration = Duration::from_millis(250);

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acknowledges {
    /// When the journal has it: write-behind as it is.
    InTheJournal,
    /// At once. It waits in the process until the journal takes it, as queues in a process do.
    BeforeTheJournal,
}

impl Acknowledges {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::InTheJournal, Self::BeforeTheJournal];

    /// Returns its name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InTheJournal => "when the journal has it",
            Self::BeforeTheJournal => "before that, to see that it is noticed",
        }
    }
}

/// What a process is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Its number among the processes of a round.
    pub process: u32,
    /// The number of the round: writes go on rising from one to the next.
    pub round: u64,
    /// When it acknowledges.
    pub acknowledges: Acknowledges,
    /// The URL of the journal's server.
    pub journal: String,
    /// The source.
    pub source: Source,
}

impl Work {
    /// Does the work until its runtime ends or its process is killed. `tell` is called for each acknowledgement.
    ///
    /// # Panics
    /// If there is no connection at the start.
    pub async fn run(self, tell: impl Fn(Acknowledged) + Clone + Send + 'static) {
        let source = self.source.connect();
        let slow = move |write: QueuedWrite<u32, u64>| {
            let source = source.clone();
            async move {
                // A query. So writes wait in the journal when their process dies.
                sleep(Duration::from_millis(write.value % 8)).await;
                source.append(write.key, write.value);
                Ok::<_, Infallible>(())
            }
        };
        let behind = builder(&self.journal).await.start(slow).expect("programs");
        let tasks = (0..KEYS).map(|number| {
            let task = Task {
                key: self.process * KEYS + number,
                behind: behind.clone(),
                tell: tell.clone(),
            };
            tokio::spawn(task.run(self.round << 32, self.acknowledges))
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a task that works");
        }
    }
}

/// Carries out what dead processes have left in the journal.
///
/// # Panics
/// If that does not end, or leaves dead letters.
pub async fn finish(journal: &str, source: Source) {
    let source = source.connect();
    let append = move |write: QueuedWrite<u32, u64>| {
        source.append(write.key, write.value);
        async { Ok::<_, Infallible>(()) }
    };
    let behind = builder(journal).await.start(append).expect("programs");
    let left = behind.shutdown(Duration::from_secs(60)).await;
    let left = left.expect("the journal");
    assert_eq!(
        (left.waiting, left.dead),
        (0, 0),
        "the journal is not empty"
    );
}

async fn builder(journal: &str) -> WriteBehindBuilder<u32, u64> {
    let store = RedisStore::builder(journal).with_timeout(Duration::from_millis(500));
    let store: Arc<dyn Store> = Arc::new(store.connect().await.expect("a connection"));
    let views = Cache::builder(VIEWS, Ttl::from_secs(60)).with_far(store.clone());
    WriteBehind::builder(store, JOURNAL, views.build().expect("a cache"))
        .with_store_timeout(Duration::from_millis(500))
        .with_write_timeout(WRITE_TIMEOUT)
        .with_batch(4)
        .with_poll(Duration::from_millis(50))
        .with_retry(Duration::from_millis(20), Duration::from_millis(100))
}

struct Task<T> {
    key: u32,
    behind: WriteBehind<u32, u64>,
    tell: T,
}

impl<T: Fn(Acknowledged)> Task<T> {
    async fn run(self, after: u64, acknowledges: Acknowledges) {
        let (queue, waiting) = mpsc::channel(1_000);
        if acknowledges == Acknowledges::BeforeTheJournal {
            tokio::spawn(forward(self.key, self.behind.clone(), waiting));
        }
        for write in after + 1.. {
            let is_acknowledged = match acknowledges {
                Acknowledges::InTheJournal => self.behind.write(self.key, write).await.is_ok(),
                Acknowledges::BeforeTheJournal => queue.send(write).await.is_ok(),
            };
            if is_acknowledged {
                (self.tell)(Acknowledged {
                    key: self.key,
                    write,
                });
            }
            sleep(Duration::from_millis(1 + write % 4)).await;
        }
    }
}

/// Puts the writes of a queue in the process into the journal, one after the other.
async fn forward(key: u32, behind: WriteBehind<u32, u64>, mut waiting: mpsc::Receiver<u64>) {
    while let Some(write) = waiting.recv().await {
        while behind.write(key, write).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}
