use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use larder_store::Result;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::journal::{Settle, Settled, Take, Taken};
use super::{QueuedWrite, Shared};
use crate::CacheKey;

/// Carries out writes until the journal is shut down, or its last handle is dropped.
pub(super) async fn work<K: CacheKey, V: Send + Sync + 'static>(
    shared: Weak<Shared<K, V>>,
    work: Arc<Notify>,
) {
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if shared.is_closed.load(Ordering::Acquire) {
            return;
        }
        let pause = shared.round().await;
        let pause = pause.map_or(shared.settings.poll, |next| {
            next.map_or(shared.settings.poll, |next| next.min(shared.settings.poll))
        });
        drop(shared);
        if !pause.is_zero() {
            // Another process may add writes, so it looks again in any case.
            let _ = timeout(pause, work.notified()).await;
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    /// Carries out what is due. Returns how long it is until the next write is due, or None if none
    /// waits.
    pub(super) async fn round(&self) -> Result<Option<Duration>> {
        let take = Take {
            count: self.settings.batch,
            hold: self.settings.hold,
            keep: self.settings.keep,
        };
        let batch = self.run(&take).await.inspect_err(|error| {
            tracing::debug!(journal = self.journal.as_str(), %error, "the journal was not read");
        })?;
        // By the store's clock: it is `hold` before the take would end.
        let now = batch.until - self.settings.hold;
        self.counts.waiting.set(batch.waiting as f64);
        let age = match batch.oldest {
            -1 => 0.0,
            since => (now - since).max(0) as f64 / 1e6,
        };
        self.counts.oldest.set(age);
        if batch.writes.is_empty() {
            return Ok(u64::try_from(batch.next)
                .ok()
                .map(|next| Duration::from_micros(next.saturating_sub(now.unsigned_abs()))));
        }
        let until = batch.until;
        join_all(batch.writes.into_iter().map(|it| self.carry_out(it, until))).await;
        Ok(Some(Duration::ZERO))
    }

    /// Gives a write to the source, and says in the journal what became of it.
    async fn carry_out(&self, taken: Taken, until: i64) {
        let attempt = u32::try_from(taken.attempts).unwrap_or(u32::MAX);
        let mut max_attempts = self.settings.max_attempts;
        let is_written = match self.decode(&taken.value) {
            Some((key, value)) => {
                let write = QueuedWrite {
                    key,
                    value,
                    version: taken.version.unsigned_abs(),
                    attempt,
                };
                // A sink may panic before it returns a future.
                let written = AssertUnwindSafe(async { (self.sink)(write).await }).catch_unwind();
                matches!(
                    timeout(self.settings.write_timeout, written).await,
                    Ok(Ok(true))
                )
            }
            // Nothing can be made of it, however often it is tried.
            None => {
                max_attempts = 0;
                false
            }
        };
        let settle = Settle {
            key: taken.key,
            until,
            version: taken.version,
            is_written,
            retry: self.pause(attempt),
            max_attempts: max_attempts.into(),
            keep: self.settings.keep,
        };
        if is_written {
            self.counts.written.increment(1);
        } else {
            self.counts.failed.increment(1);
        }
        // Where it fails, the write is taken again when the take ends.
        if let Ok(Settled::Dead) = self.run(&settle).await {
            self.counts.dead.increment(1);
            let journal = self.journal.as_str();
            tracing::error!(
                journal,
                attempt,
                "a write failed too often: it is a dead letter"
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
        let pause = pause.mul_f64(1.0 - 0.25 * rand::random::<f64>());
        i64::try_from(pause.as_micros()).unwrap_or(i64::MAX).max(1)
    }
}
