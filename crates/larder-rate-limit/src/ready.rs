//! Callers that prefer waiting to a refusal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::{Key, KeyId, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{Decision, Grant, Permit, RateLimiter, Reason};

/// How often a caller looks for a place that was given back.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl RateLimiter {
    /// The maximum number of waiting callers in one process, of all visitors: 10,000. Others do not wait: they
    /// pass or are refused at once.
    pub const MAX_WAITING: usize = 10_000;

    /// Charges `visitor` for one request, and waits at most `within` until it may pass.
    ///
    /// Use it in clients, and in jobs that call a limited service. A caller that would have to wait longer is
    /// refused at once. In one process, callers for a visitor pass in the order in which they came; between
    /// processes the first to try passes. Nothing is charged while a caller waits, and however often it tries,
    /// it counts as at most one refusal towards a [ban](crate::Ban). It takes one round trip, or none in
    /// process, and one more after each wait.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled, even if it would not have to wait.
    ///
    /// # Cancellation
    /// A caller that waits leaves the queue, and was not charged. One whose turn has come may have been charged.
    pub async fn until_ready(&self, visitor: impl KeyId, within: Duration) -> Result<Decision> {
        let key = self.key(visitor);
        let answer = self.check_within(&key, within).await;
        self.counted(answer, |decision| *decision)
    }

    async fn check_within(&self, key: &Key, within: Duration) -> Result<Decision> {
        let queued = Queued::join(&self.turns, key, within).await;
        let mut decision = self.check_key(key).await?;
        if let Some(mut until) = queued.pause(&decision) {
            let again = self.looking_again();
            loop {
                sleep_until(until).await;
                decision = again.check_key(key).await?;
                match queued.pause(&decision) {
                    None => break,
                    Some(later) => until = later,
                }
            }
        }
        Ok(decision)
    }

    /// Acquires a permit as [`acquire`](Self::acquire) does, and waits for it at most `within`.
    ///
    /// It looks 20 times a second for a place that was given back, and counts as at most one refusal towards a
    /// [ban](crate::Ban).
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`until_ready`](Self::until_ready) does.
    ///
    /// # Cancellation
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(
        &self,
        visitor: impl KeyId,
        within: Duration,
    ) -> Result<Grant<Permit>> {
        let key = self.key(visitor);
        let answer = self.acquire_key_within(&key, within).await;
        self.counted(answer, Grant::<Permit>::decision)
    }

    async fn acquire_key_within(&self, key: &Key, within: Duration) -> Result<Grant<Permit>> {
        let queued = Queued::join(&self.turns, key, within).await;
        let pause = |grant: &Grant<Permit>| queued.pause(&grant.refused()?);
        let mut grant = self.acquire_key(key, self.cost()).await?;
        if let Some(mut until) = pause(&grant) {
            let again = self.looking_again();
            loop {
                sleep_until(until).await;
                grant = again.acquire_key(key, self.cost()).await?;
                match pause(&grant) {
                    None => break,
                    Some(later) => until = later,
                }
            }
        }
        Ok(grant)
    }
}

/// A caller whose turn has come, or that does not wait.
struct Queued<'a> {
    /// The end of its wait. None if it does not wait.
    deadline: Option<Instant>,
    // In this order, so that the queue is free when the turn ends.
    _first: Option<OwnedSemaphorePermit>,
    _turn: Option<Turn<'a>>,
}

impl<'a> Queued<'a> {
    /// Waits for its turn, at most `within`. A caller for which there is no room does not wait.
    async fn join(turns: &'a Turns, key: &Key, within: Duration) -> Self {
        let deadline = Instant::now() + within.min(MAX_WITHIN);
        let turn = turns.join(key);
        let first = match &turn {
            Some(turn) => timeout_at(deadline, turn.queue.clone().acquire_owned())
                .await
                .ok(),
            None => None,
        };
        let first = first.and_then(|acquired| acquired.ok());
        Self {
            deadline: first.is_some().then_some(deadline),
            _first: first,
            _turn: turn,
        }
    }

    /// Returns when to try again after a decision. None if the caller accepts the decision.
    fn pause(&self, decision: &Decision) -> Option<Instant> {
        let wait = match decision.reason()? {
            Reason::Concurrency => decision.retry_after().min(LOOK_EVERY),
            _ => decision.retry_after(),
        };
        // If the timer fired a fraction of a millisecond early, it would cost another attempt.
        let until = Instant::now() + wait.min(MAX_WITHIN) + Duration::from_millis(1);
        self.deadline
            .filter(|deadline| until <= *deadline)
            .map(|_| until)
    }
}

/// The longest wait: a year. A longer one may exceed the range of a clock.
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
        // Nothing can panic between the two changes.
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
        // Those of the map and of this one: nobody else waits, and nobody can join under the lock.
        if Arc::strong_count(&self.queue) == 2 {
            queues.by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_store::Kind;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_gone_with_the_last_of_its_callers() {
        let turns = Turns::default();
        let key = Key::new(Kind::record("limit"), "ada");
        let second = Duration::from_secs(1);
        let first = Queued::join(&turns, &key, second).await;
        let late = Queued::join(&turns, &key, second).await;
        assert!(first.deadline.is_some() && late.deadline.is_none());
        drop(first);
        assert_eq!(turns.queues().waiting, 1);
        drop(late);
        let queues = turns.queues();
        assert!(queues.by_key.is_empty() && queues.waiting == 0);
    }
}
