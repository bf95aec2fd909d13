//! Periodic jobs: each tick of a schedule is enqueued once, over all processes.
//!
//! ```
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! # use larder_queue::{Job, NewJob, Queue};
//! # use larder_queue::periodic::{Missed, Periodic, Schedule};
//! # use serde::{Deserialize, Serialize};
//! #[derive(Serialize, Deserialize)]
//! struct Cleanup;
//!
//! impl Job for Cleanup {
//!     const NAME: &'static str = "cleanup";
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> larder_store::Result<()> {
//! # let store = Arc::new(larder_moka::MokaStore::new());
//! let queue = Queue::new(store, "chores")?;
//! let hourly = Schedule::every(Duration::from_secs(3_600))?;
//! Periodic::new(queue)
//!     .on("cleanup", hourly, |_tick| NewJob::new(&Cleanup))?
//!     .with_missed(Missed::Last)
//!     .run_until(async { /* waits for a signal, in a service */ })
//!     .await;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `cron` a schedule can also be a cron expression, in UTC or in a time zone.
//!
//! # Rules
//! 1. Every process of the app runs the same schedules; none leads. A tick is enqueued under the id
//!    `name@seconds`, where `seconds` is the time at which it was due, so the queue accepts it once.
//! 2. A record for each name stores the time up to which ticks were enqueued, so ticks that were due while no
//!    process ran, or while the store failed, are known. [`Missed`] decides what happens to them. The very first
//!    process begins at the present.
//! 3. Time is the store's: processes whose clocks differ agree on each tick. A clock that is set back repeats no
//!    tick; if it is set back by more than a day it was wrong, and schedules begin at the present.
//! 4. A schedule that is changed continues from the last tick of its name. A new name starts from scratch.
//! 5. After an error of the store, it is tried again after a random pause, of up to 50 ms at first and up to 5 s
//!    later.
//!
//! # Deployment caveat
//! A process that is stopped for more than an hour between reading the record and enqueueing may enqueue a tick
//! again. The same can happen to a job with a unique key of its own, once the queue has forgotten the id of the
//! tick: see [`Queue::with_retention`] and [`Queue::with_max_done`].

#[cfg(feature = "cron")]
mod cron;
mod record;
mod schedule;
#[cfg(test)]
mod traces;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use larder_store::program::Record;
use larder_store::{ErrorKind, Key, Result, Timestamp, Ttl};

use crate::worker::pause_after;
use crate::{Enqueued, JobId, MAX_BATCH, NewJob, Queue, Until};
use record::Advance;
use schedule::invalid;

pub use record::{InspectLastTick, LastTick};
pub use schedule::Schedule;

/// Enqueues jobs by schedules. See the [module](self) for the rules.
#[derive(Clone)]
pub struct Periodic {
    queue: Queue,
    entries: Vec<Entry>,
    missed: Missed,
}

#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    key: Key,
    schedule: Schedule,
    job: Arc<dyn Fn(&Tick) -> NewJob + Send + Sync>,
}

/// One moment of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    name: Arc<str>,
    due: Timestamp,
}

impl Tick {
    /// Returns the name of the schedule.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the moment at which the tick is due, by the store's clock.
    pub fn due(&self) -> Timestamp {
        self.due
    }
}

/// What happens to ticks that are enqueued late, because no process ran or the store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// They are skipped: a tick that is more than a minute late is not enqueued.
    Skip,
    /// If several ticks are due, only the last of them is enqueued.
    Last,
    /// The last of them are enqueued, up to this many, at least 1 and at most 1,000.
    All(u16),
}

/// How late a tick must be to count as missed.
const LATE: i64 = 60_000_000;

/// The maximum number of ticks of one name that are enqueued together.
const MAX_TICKS: usize = 1_000;

/// How long the last tick of a name that is no longer used is remembered.
const REMEMBERED: Ttl = Ttl::from_secs(400 * 86_400);

/// How long an id is kept from being enqueued again.
const ONCE: Ttl = Ttl::from_secs(3_600);

/// The longest sleep, after which it checks whether the store's clock was set.
const LONGEST: Duration = Duration::from_secs(60);

/// The maximum length of a name.
const MAX_NAME: usize = 64;

impl Periodic {
    /// Makes a set of schedules that enqueue into `queue`.
    pub fn new(queue: Queue) -> Self {
        Self {
            queue,
            entries: Vec::new(),
            missed: Missed::Last,
        }
    }

    /// Enqueues the result of `job` at each moment of `schedule`. If `job` panics, that moment is skipped.
    ///
    /// The name is 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`; the last tick is remembered under it. The
    /// id of the job is replaced by `name@seconds`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or already used.
    pub fn on<F>(mut self, name: &str, schedule: Schedule, job: F) -> Result<Self>
    where
        F: Fn(&Tick) -> NewJob + Send + Sync + 'static,
    {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(invalid(format!(
                "the name '{name}' of a schedule is invalid: expected 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"
            )));
        }
        if self.entries.iter().any(|entry| &*entry.name == name) {
            return Err(invalid(format!(
                "there is a schedule named '{name}' already: give each schedule its own name"
            )));
        }
        self.entries.push(Entry {
            name: name.into(),
            key: Key::new(LastTick::KIND, format!("{}/{name}", self.queue.name())),
            schedule,
            job: Arc::new(job),
        });
        Ok(self)
    }

    /// Sets what happens to ticks that are enqueued late. The default is [`Missed::Last`].
    #[must_use]
    pub fn with_missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Enqueues ticks as they are due, until `stop` resolves.
    ///
    /// # Cancellation
    /// You may also drop the future: a tick that was being enqueued is enqueued by another process, or by this
    /// one when it runs again.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) {
        let mut failures = 0;
        let run = async {
            loop {
                match self.run_due().await {
                    Ok(ticked) => {
                        failures = 0;
                        let next = ticked.next_in.map_or(LONGEST, |next| next.min(LONGEST));
                        // If the timer fired a fraction of a millisecond early, it would cost another check.
                        tokio::time::sleep(next + Duration::from_millis(1)).await;
                    }
                    Err(error) => {
                        if failures == 0 {
                            let queue = self.queue.name();
                            tracing::warn!(queue, %error, "periodic jobs were not enqueued; trying again");
                        }
                        failures += 1;
                        pause_after(failures).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = run => {}
        }
    }

    /// Enqueues the ticks that are due now, and returns how many jobs were new and when the next one is due.
    ///
    /// It takes a round trip for each schedule, and two more for one that is due.
    ///
    /// # Errors
    /// Those of the store, and of [`Queue::enqueue`]. The other schedules were handled, and of a schedule the ticks
    /// before the one that was refused; the next call enqueues the rest.
    ///
    /// # Cancellation
    /// Each tick may or may not have been enqueued; none is lost.
    pub async fn run_due(&self) -> Result<Ticked> {
        let mut ticked = Ticked::default();
        let mut failed = None;
        for entry in &self.entries {
            match self.run_entry(entry).await {
                Ok((enqueued, next_in)) => {
                    ticked.enqueued += enqueued;
                    let earlier = ticked.next_in.into_iter().chain(next_in);
                    ticked.next_in = earlier.min();
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(ticked), Err)
    }

    async fn run_entry(&self, entry: &Entry) -> Result<(u64, Option<Duration>)> {
        let (now, last) = self.advance(entry, Timestamp::default()).await?;
        let mut enqueued = 0;
        if entry
            .schedule
            .next_after(last)
            .is_some_and(|next| next <= now)
        {
            enqueued = self.enqueue(entry, self.due(entry, last, now)).await?;
            self.advance(entry, now).await?;
        }
        let next = entry.schedule.next_after(now.max(last));
        Ok((enqueued, next.map(|next| next.since(now))))
    }

    /// Enqueues ticks in order, and returns how many were new.
    ///
    /// If one is refused, those before it are noted: the queue forgets their ids, perhaps before it takes the rest.
    async fn enqueue(&self, entry: &Entry, due: Vec<(Timestamp, NewJob)>) -> Result<u64> {
        let (mut enqueued, mut noted) = (0, None);
        // A batch at a time, so that no later one is enqueued behind one that is refused.
        for batch in due.chunks(MAX_BATCH) {
            let jobs = batch.iter().map(|(_, job)| job.clone());
            for ((tick, _), result) in batch.iter().zip(self.queue.enqueue_many(jobs).await) {
                match result {
                    Ok(Enqueued::New(_)) => enqueued += 1,
                    Ok(Enqueued::Duplicate(_)) => {}
                    // It would be refused each time, and would block the ticks after it.
                    Err(error) if is_hopeless(error.kind()) => {
                        let schedule = &*entry.name;
                        tracing::error!(schedule, %error, "a periodic job cannot be enqueued");
                    }
                    Err(error) => {
                        if let Some(tick) = noted {
                            // If this fails too, they are duplicates for the next hour.
                            let _ = self.advance(entry, tick).await;
                        }
                        return Err(error);
                    }
                }
                noted = Some(*tick);
            }
        }
        Ok(enqueued)
    }

    /// Returns the ticks after `last` and up to `now`, as far as the policy wants them, with their jobs.
    fn due(&self, entry: &Entry, last: Timestamp, now: Timestamp) -> Vec<(Timestamp, NewJob)> {
        let (from, count) = match self.missed {
            Missed::Skip => (last.max(now.plus_micros(-LATE - 1)), MAX_TICKS),
            Missed::Last => (last, 1),
            Missed::All(count) => (last, usize::from(count).min(MAX_TICKS)),
        };
        let ticks = entry.schedule.last(from, now, count.max(1));
        let job = |due| {
            let name = entry.name.clone();
            let made = || (entry.job)(&Tick { name, due }).once(&entry.name, due);
            let made = catch_unwind(AssertUnwindSafe(made));
            if made.is_err() {
                let schedule = &*entry.name;
                tracing::error!(
                    schedule,
                    "a periodic job was not made: its function panicked"
                );
            }
            Some((due, made.ok()?))
        };
        ticks.into_iter().filter_map(job).collect()
    }

    async fn advance(&self, entry: &Entry, to: Timestamp) -> Result<(Timestamp, Timestamp)> {
        let ttl = REMEMBERED;
        self.queue.run_on(&entry.key, &Advance { to, ttl }).await
    }
}

fn is_hopeless(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Invalid | ErrorKind::TooLarge)
}

impl NewJob {
    /// Makes the job of a tick, which is enqueued once.
    fn once(self, name: &str, due: Timestamp) -> Self {
        let id = format!("{name}@{}", due.as_micros().div_euclid(1_000_000));
        let job = match self.unique {
            // The id is remembered for the time that the queue is configured to remember ids, which may be none.
            None => self.with_unique(&format!("periodic/{id}"), Until::Ttl(ONCE)),
            Some(_) => self,
        };
        match JobId::new(&id) {
            Ok(id) => job.with_id(id),
            // The name was checked.
            Err(_) => job,
        }
    }
}

/// The outcome of [`Periodic::run_due`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ticked {
    /// Jobs that were added. Another process may have added the rest.
    pub enqueued: u64,
    /// The time until the next tick is due. None if there is none.
    pub next_in: Option<Duration>,
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schedules = self
            .entries
            .iter()
            .map(|entry| (&entry.name, &entry.schedule));
        f.debug_struct("Periodic")
            .field("queue", &self.queue.name())
            .field("schedules", &schedules.collect::<Vec<_>>())
            .field("missed", &self.missed)
            .finish()
    }
}
