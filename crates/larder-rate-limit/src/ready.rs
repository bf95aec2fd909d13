//! Callers that would rather wait than be refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::{Key, KeyId, Result};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Decision, Grant, Permit, RateLimiter, Reason};

/// How often a caller looks for a place that somebody may have given back.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl RateLimiter {
    /// The most callers of one process that wait at once, of all visitors: 10,000. Others are refused at once.
    pub const MAX_WAITING: usize = 10_000;

    /// Charges `visitor` for one request, and waits `within` at most until it may pass.
    ///
    /// For clients, and for jobs that call a limited service. A caller that would have to wait longer is refused
    /// at once. In one process, callers for a visitor pass in the order in which they came; between processes
    /// the first to ask passes. Nothing is charged while a caller waits. It takes one round trip, or none in
    /// process, and one more after each wait.
    ///
    /// # Errors
    /// As those of [`check`](Self::check).
    ///
    /// # Panics
    /// If it has to wait, outside of a tokio runtime with its time enabled.
    ///
    /// # Cancellation
    /// A caller that waits leaves the queue, and was not charged. One whose turn it is may have been charged.
    pub async fn until_ready(&self, visitor: impl KeyId, within: Duration) -> Result<Decision> {
        let key = self.key(visitor);
        self.wait_for(&key, within, async || self.check_key(&key).await, |it| *it)
            .await
    }

    /// Acquires a permit as [`acquire`](Self::acquire) does, and waits for it `within` at most.
    ///
    /// It looks for a place that was given back 20 times a second.
    ///
    /// # Errors
    /// As those of [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`until_ready`](Self::until_ready) does.
    ///
    /// # Cancellation
    /// As that of [`acquire`](Self::acquire).
    pub async fn acquire_within(
        &self,
        visitor: impl KeyId,
        within: Duration,
    ) -> Result<Grant<Permit>> {
        let key = self.key(visitor);
        let attempt = async || self.acquire_key(&key).await;
        let decided = |grant: &Grant<Permit>| match grant {
            Grant::Held(permit) => permit.decision(),
            Grant::Refused(decision) => *decision,
        };
        self.wait_for(&key, within, attempt, decided).await
    }

    async fn wait_for<T>(
        &self,
        key: &Key,
        within: Duration,
        attempt: impl AsyncFn() -> Result<T>,
        decided: impl Fn(&T) -> Decision,
    ) -> Result<T> {
        let Some(turn) = self.turns.join(key) else {
            return attempt().await;
        };
        let deadline = Instant::now() + within.min(MAX_WITHIN);
        let Ok(Ok(_turn)) = timeout_at(deadline, turn.queue.acquire()).await else {
            return attempt().await;
        };
        loop {
            let answer = attempt().await?;
            let decision = decided(&answer);
            let wait = match decision.reason() {
                None => return Ok(answer),
                Some(Reason::Concurrency) => decision.retry_after().min(LOOK_EVERY),
                Some(_) => decision.retry_after(),
            };
            // A timer that is early by a part of a millisecond would cost one more look.
            let until = Instant::now() + wait.min(MAX_WITHIN) + Duration::from_millis(1);
            if until > deadline {
                return Ok(answer);
            }
            sleep(until - Instant::now()).await;
        }
    }
}

/// The longest wait: a year. A longer one may be past what a clock can count.
const MAX_WITHIN: Duration = Duration::from_secs(366 * 86_400);

/// The callers that wait, in a queue for each visitor.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    by_key: HashMap<Key, Arc<Semaphore>>,
    waiting: usize,
}

impl Turns {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Nothing panics between the changes of the two.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the queue of a visitor. None if too many wait.
    fn join(&self, key: &Key) -> Option<Turn<'_>> {
        let mut queues = self.queues();
        if queues.waiting >= RateLimiter::MAX_WAITING {
            return None;
        }
        queues.waiting += 1;
        let one = || Arc::new(Semaphore::new(1));
        let queue = queues.by_key.entry(key.clone()).or_insert_with(one).clone();
        Some(Turn {
            turns: self,
            key: key.clone(),
            queue,
        })
    }

    #[cfg(test)]
    pub(crate) fn visitors(&self) -> usize {
        self.queues().by_key.len()
    }
}

/// A place in the queue of a visitor.
struct Turn<'a> {
    turns: &'a Turns,
    key: Key,
    queue: Arc<Semaphore>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        queues.waiting -= 1;
        // The map's and this one's: nobody else waits, and nobody joins under the lock.
        if Arc::strong_count(&self.queue) == 2 {
            queues.by_key.remove(&self.key);
        }
    }
}
