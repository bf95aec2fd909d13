use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use larder_store::Result;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::journal::{Outcome, Settle, Settled, Take, Taken};
use super::{LEFT_WRITE_TIMEOUT, QueuedWrite, Shared};
use crate::CacheKey;
use crate::values::Unreadable;

/// For how long a write is left that a worker cannot read though it reads others of its form, as one that is
/// sealed by a key that it does not have. After that, any worker takes it again.
const LEFT_PAUSE: Duration = Duration::from_secs(5);

/// Carries out writes until the journal is shut down and empty, the time of the shutdown is over, or the
/// last handle is dropped. Writes that were begun are completed.
///
/// Each write has a task of its own, so that a slow one does not delay the others.
pub(super) async fn work<K: CacheKey, V: Send + Sync + 'static>(
    shared: impl Fn() -> Option<Arc<Shared<K, V>>>,
    work: Arc<Notify>,
) {
    let mut running = JoinSet::new();
    let mut look_at = Instant::now();
    while let Some(shared) = shared()
        && !shared.is_stopped.load(Ordering::Acquire)
    {
        let poll = shared.settings.poll;
        // A take needs room for at least half a batch, so that a busy source needs few takes.
        let has_room = |running: &JoinSet<()>| running.len() as i64 * 2 <= shared.settings.batch;
        if has_room(&running) && look_at <= Instant::now() {
            // Read before the take, which then finds every write that was accepted.
            let is_last = shared.is_closed.load(Ordering::SeqCst) && shared.pushes.is_empty();
            let next = match shared.begin(&mut running).await {
                Ok(None) if is_last => break,
                // Another process may add writes, so it checks again in any case.
                Ok(None) | Err(_) => poll,
                Ok(Some(next)) => next.min(poll),
            };
            look_at = Instant::now() + next;
        }
        let until = match has_room(&running) {
            true => look_at,
            false => Instant::now() + poll,
        };
        drop(shared);
        if wait(until, &mut running, &work).await {
            look_at = Instant::now();
        }
    }
    // A write that is dropped here would wait until its take ends.
    while running.join_next().await.is_some() {}
}

/// Waits until a write has ended, or there is work to do. Returns whether to look for more at once.
async fn wait(until: Instant, running: &mut JoinSet<()>, work: &Notify) -> bool {
    let ended = async {
        if running.join_next().await.is_none() {
            pending().await
        }
        while running.try_join_next().is_some() {}
        // Later values of the keys that have ended may be waiting.
        running.is_empty()
    };
    let (ended, told) = (pin!(ended), pin!(work.notified()));
    match timeout_at(until, select(ended, told)).await {
        Ok(Either::Left((is_idle, _))) => is_idle,
        Ok(Either::Right(_)) => true,
        Err(_) => false,
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    /// Begins due writes, as far as there is room. Returns the time until more may be due, or None if no
    /// write waits.
    async fn begin(self: &Arc<Self>, running: &mut JoinSet<()>) -> Result<Option<Duration>> {
        let take = Take {
            count: self.settings.batch - running.len() as i64,
            hold: self.settings.hold,
            keep: self.settings.keep,
            max_attempts: self.settings.max_attempts.into(),
            form: self.cache.inner.format.form(self.codec.id()),
            max_left: micros(LEFT_WRITE_TIMEOUT),
        };
        let batch = self.run(&take).await.inspect_err(|error| {
            tracing::debug!(journal = self.journal.as_str(), %error, "the journal was not read");
        })?;
        // By the store's clock: it is `hold` before the take would end.
        let (until, now) = (batch.until, batch.until - self.settings.hold);
        self.counts.waiting.set(batch.waiting as f64);
        let age = match batch.oldest {
            -1 => 0.0,
            since => (now - since).max(0) as f64 / 1e6,
        };
        self.counts.oldest.set(age);
        self.counts.left.increment(batch.left);
        if batch.dead > 0 {
            self.counts.dead.increment(batch.dead);
            tracing::error!(
                journal = self.journal.as_str(),
                count = batch.dead,
                "writes were started too often without a reported outcome, or left for another release for \
                 too long, and are now dead letters"
            );
        }
        let found = batch.writes.len() as u64 + batch.dead;
        let is_full = found >= take.count.unsigned_abs();
        for taken in batch.writes {
            let shared = self.clone();
            let task: BoxFuture<'static, ()> =
                Box::pin(async move { shared.carry_out(taken, until).await });
            running.spawn(task);
        }
        if is_full {
            // More may be left for this worker, which are not among those that are due.
            return Ok(Some(Duration::ZERO));
        }
        let next = u64::try_from(batch.next).ok();
        Ok(next.map(|next| Duration::from_micros(next.saturating_sub(now.unsigned_abs()))))
    }

    /// Passes a write to the source, and records the outcome in the journal.
    async fn carry_out(&self, taken: Taken, until: i64) {
        let attempt = u32::try_from(taken.attempts).unwrap_or(u32::MAX);
        let write = async {
            let (key, value) = match self.open(&taken.key, &taken.value) {
                Ok((queued, _)) => queued,
                Err(Unreadable::Foreign) => return Outcome::Left,
                // A newer release may have written a value that cannot be read here, and can read it itself.
                Err(Unreadable::Damaged) => return Outcome::Failed,
            };
            let write = QueuedWrite {
                key,
                value,
                version: taken.version.unsigned_abs(),
                attempt,
            };
            match (self.sink)(write).await {
                true => Outcome::Written,
                false => Outcome::Failed,
            }
        };
        // A type may panic while it is decoded, and a sink before it returns a future.
        let written = AssertUnwindSafe(write).catch_unwind();
        let outcome = match timeout(self.settings.write_timeout, written).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Outcome::Failed,
        };
        let (count, retry) = match outcome {
            Outcome::Written => (&self.counts.written, 0),
            Outcome::Failed => (&self.counts.failed, self.pause(attempt)),
            Outcome::Left => (&self.counts.left, micros(LEFT_PAUSE)),
        };
        count.increment(1);
        let settle = Settle {
            key: taken.key,
            until,
            version: taken.version,
            outcome,
            retry,
            max_attempts: self.settings.max_attempts.into(),
            max_left: micros(LEFT_WRITE_TIMEOUT),
            keep: self.settings.keep,
        };
        // If this fails, the write is taken again when the take ends.
        if let Ok(Settled::Dead) = self.run(&settle).await {
            self.counts.dead.increment(1);
            let journal = self.journal.as_str();
            tracing::error!(
                journal,
                attempt,
                ?outcome,
                "a write failed too often, or was left for another release for too long: it is a dead letter"
            );
        }
    }

    /// Returns the pause after an attempt, in microseconds: doubled each time, and up to a quarter
    /// shorter.
    fn pause(&self, attempt: u32) -> i64 {
        let doubled = self
            .settings
            .first_pause
            .saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let pause = doubled.min(self.settings.longest_pause);
        micros(pause.mul_f64(1.0 - 0.25 * rand::random::<f64>()))
    }
}

/// Returns a pause in microseconds, at least one.
fn micros(pause: Duration) -> i64 {
    i64::try_from(pause.as_micros()).unwrap_or(i64::MAX).max(1)
}
