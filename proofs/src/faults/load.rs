//! A steady load, and what became of each of its operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_store::program::Record;
use larder_store::{Entry, ErrorKind, Key, Kind, Put, PutOutcome, Refusal, Result, Store, Ttl};
use larder_test::records::{Add, ReadTally, Tally};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

const NOTE: Kind = Kind::pinned("note");

/// The number of counters, so that every node of a cluster has some.
const COUNTERS: u32 = 64;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Reads a note that was written before the fault: twice is the same as once.
    Get,
    /// Writes a note of its own.
    Put,
    /// Counts by one: twice is more than once.
    Count,
}

/// One operation, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The kind of the operation.
    pub what: What,
    /// The start of the operation.
    pub began: Instant,
    /// The time that its caller waited.
    pub waited: Duration,
    /// Its error, if there was one.
    pub error: Option<ErrorKind>,
    /// Whether it read something other than its note.
    pub is_wrong: bool,
    id: u32,
}

/// A load that runs until it is [stopped](Self::stop).
pub struct Load {
    done: Arc<AtomicBool>,
    driver: tokio::task::JoinHandle<Vec<Outcome>>,
}

impl Load {
    /// Begins to run `rate` operations a second, none of which waits for another.
    pub async fn begin(store: Arc<dyn Store>, rate: u32) -> Self {
        for id in 0..COUNTERS {
            let _ = store.put(&note(id)).await.expect("a put before the fault");
        }
        let done = Arc::new(AtomicBool::new(false));
        let driver = tokio::spawn(drive(store, rate, done.clone()));
        Self { done, driver }
    }

    /// Ends it, and compares what `store` holds with what was acknowledged.
    pub async fn stop(self, store: Arc<dyn Store>) -> Ledger {
        self.done.store(true, Ordering::Relaxed);
        let outcomes = self.driver.await.expect("the driver of the load");
        let mut ledger = Ledger {
            wrong: outcomes.iter().filter(|one| one.is_wrong).count(),
            outcomes,
            lost: 0,
            twice: 0,
        };
        ledger.settle(&store).await;
        ledger
    }
}

async fn drive(store: Arc<dyn Store>, rate: u32, done: Arc<AtomicBool>) -> Vec<Outcome> {
    let mut pace = interval(Duration::from_secs(1) / rate);
    let mut running = JoinSet::new();
    let mut outcomes = Vec::new();
    let next = AtomicU32::new(0);
    while !done.load(Ordering::Relaxed) {
        pace.tick().await;
        running.spawn(one(store.clone(), next.fetch_add(1, Ordering::Relaxed)));
        while let Some(outcome) = running.try_join_next() {
            outcomes.push(outcome.expect("an operation that does not panic"));
        }
    }
    outcomes.extend(running.join_all().await);
    outcomes
}

async fn one(store: Arc<dyn Store>, number: u32) -> Outcome {
    let began = Instant::now();
    // Whether it is as it must be, unless it fails.
    let (what, id, result) = match number % 3 {
        0 => {
            let id = number % COUNTERS;
            let held = store.get(&key(id)).await;
            (What::Get, id, held.map(|held| is_note(id, held.as_ref())))
        }
        1 => {
            let id = COUNTERS + number;
            let put = store.put(&note(id)).await;
            (What::Put, id, put.map(PutOutcome::is_stored))
        }
        _ => {
            let id = number % COUNTERS;
            let counted = count(&store, id).await;
            (What::Count, id, counted.map(|()| true))
        }
    };
    Outcome {
        what,
        began,
        waited: began.elapsed(),
        is_wrong: matches!(result, Ok(false)),
        error: result.err().map(|error| error.kind()),
        id,
    }
}

async fn count(store: &Arc<dyn Store>, id: u32) -> Result<()> {
    let programs = store.clone().programs().expect("a store with programs");
    let add = Add {
        by: 1,
        limit: i64::from(u32::MAX),
        ttl: Ttl::from_secs(3_600),
    };
    programs.run(&counter(id), &add).await.map(drop)
}

/// The results of a load.
pub struct Ledger {
    /// Each operation.
    pub outcomes: Vec<Outcome>,
    /// Writes that were acknowledged, and are not there.
    pub lost: u64,
    /// Reads of another value than the one that was written, or of none.
    pub wrong: usize,
    /// Steps that ran more often than they were asked for.
    pub twice: u64,
}

impl Ledger {
    async fn settle(&mut self, store: &Arc<dyn Store>) {
        let written = self.outcomes.iter().filter(|one| one.what == What::Put);
        let acknowledged = written.filter(|one| one.error.is_none());
        let ids: Vec<_> = (0..COUNTERS)
            .chain(acknowledged.map(|one| one.id))
            .collect();
        for ids in ids.chunks(100) {
            let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
            for (id, held) in ids.iter().zip(store.get_many(&keys).await) {
                match held.expect("a read after the fault") {
                    None => self.lost += 1,
                    held => self.wrong += usize::from(!is_note(*id, held.as_ref())),
                }
            }
        }
        let programs = store.clone().programs().expect("a store with programs");
        for id in 0..COUNTERS {
            let counts = self
                .outcomes
                .iter()
                .filter(|one| one.what == What::Count && one.id == id);
            let (mut acknowledged, mut ambiguous) = (0, 0);
            for one in counts {
                match one.error {
                    None => acknowledged += 1,
                    Some(ErrorKind::MayHaveRun) => ambiguous += 1,
                    Some(_) => {}
                }
            }
            let held = programs.run(&counter(id), &ReadTally).await;
            let held = held.expect("a read after the fault").unwrap_or(0);
            self.lost += u64::try_from(acknowledged - held).unwrap_or(0);
            self.twice += u64::try_from(held - acknowledged - ambiguous).unwrap_or(0);
        }
    }

    /// Returns how many operations failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|one| one.error.is_some())
            .count()
    }

    /// Returns how many repeatable operations failed.
    #[must_use]
    pub fn failed_gets(&self) -> usize {
        let gets = self.outcomes.iter().filter(|one| one.what == What::Get);
        gets.filter(|one| one.error.is_some()).count()
    }

    /// Returns the wait that all but this many per thousand stayed below.
    #[must_use]
    pub fn wait_but_for(&self, per_mille: usize) -> Duration {
        let mut waits: Vec<_> = self.outcomes.iter().map(|one| one.waited).collect();
        waits.sort_unstable();
        let last = waits
            .len()
            .saturating_sub(1 + waits.len() * per_mille / 1_000);
        waits.get(last).copied().unwrap_or_default()
    }

    /// Returns how long after `mended` the last operation began that failed.
    #[must_use]
    pub fn well_after(&self, mended: Instant) -> Duration {
        let failed = self.outcomes.iter().filter(|one| one.error.is_some());
        let last = failed.map(|one| one.began).max();
        last.map_or(Duration::ZERO, |last| {
            last.saturating_duration_since(mended)
        })
    }

    /// Returns the percentage of successful operations among those that began in `window`.
    #[must_use]
    pub fn good_within(&self, window: std::ops::Range<Instant>) -> f64 {
        let within = self
            .outcomes
            .iter()
            .filter(|one| window.contains(&one.began));
        let (mut all, mut good) = (0.0_f64, 0.0_f64);
        for one in within {
            all += 1.0;
            good += f64::from(u8::from(one.error.is_none()));
        }
        100.0 * good / all.max(1.0)
    }

    /// Returns whether some operations failed for lack of room.
    #[must_use]
    pub fn was_full(&self) -> bool {
        let full = Some(ErrorKind::Refused(Refusal::Full));
        self.outcomes.iter().any(|one| one.error == full)
    }
}

fn key(id: u32) -> Key {
    Key::new(NOTE, id)
}

fn note(id: u32) -> Put {
    Put::new(key(id), format!("note {id}"), Ttl::from_secs(3_600))
}

fn is_note(id: u32, held: Option<&Entry>) -> bool {
    held.is_some_and(|held| held.value == note(id).value())
}

fn counter(id: u32) -> Key {
    Key::new(Tally::KIND, id)
}
