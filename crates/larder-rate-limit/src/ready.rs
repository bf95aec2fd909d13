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
    /// processes the first to try passes. So a caller whose time ends before its turn comes is refused and not
    /// charged, even if the quota has room for it: the one in front, which may cost more, needs that. Its
    /// [`retry_after`](Decision::retry_after) then does not end before the one in front tries again.
    ///
    /// Nothing is charged while a caller waits, and however often it tries, it counts as at most one refusal
    /// towards a [ban](crate::Ban). It takes one round trip, or none in process, and one more after each wait.
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
        if let Some(front) = queued.waits_behind() {
            return self.refuse_behind(key, front).await;
        }
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
        if let Some(front) = queued.waits_behind() {
            return Ok(Grant::Refused(self.refuse_behind(key, front).await?));
        }
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

    /// Returns the refusal of a caller that another one is in front of. It charges nothing.
    async fn refuse_behind(&self, key: &Key, front: Front) -> Result<Decision> {
        let decision = self.inspect_key(key).await?.decision();
        let wait = front.until.saturating_duration_since(Instant::now());
        Ok(decision.behind(front.reason, wait.max(SLACK)))
    }
}

/// A caller whose turn has come, or that does not wait.
struct Queued<'a> {
    /// The end of its wait. None if it does not wait.
    deadline: Option<Instant>,
    // In this order, so that the queue is free when the turn ends.
    first: Option<First>,
    turn: Option<Turn<'a>>,
}

impl<'a> Queued<'a> {
    /// Waits for its turn, at most `within`. A caller for which there is no room does not wait.
    async fn join(turns: &'a Turns, key: &Key, within: Duration) -> Self {
        let deadline = Instant::now() + within.min(MAX_WITHIN);
        let turn = turns.join(key);
        let first = match &turn {
            Some(turn) => turn.first(deadline).await,
            None => None,
        };
        Self {
            deadline: first.is_some().then_some(deadline),
            first,
            turn,
        }
    }

    /// Returns the caller in front, if the turn of this one did not come and the one in front waits for its quota.
    ///
    /// One in front that the store has not refused yet holds nobody up.
    fn waits_behind(&self) -> Option<Front> {
        match (&self.first, &self.turn) {
            (None, Some(turn)) => *turn.queue.front(),
            _ => None,
        }
    }

    /// Returns when to try again after a decision. None if the caller accepts the decision.
    fn pause(&self, decision: &Decision) -> Option<Instant> {
        let reason = decision.reason()?;
        let wait = match reason {
            Reason::Concurrency => decision.retry_after().min(LOOK_EVERY),
            _ => decision.retry_after(),
        };
        let until = Instant::now() + wait.min(MAX_WITHIN) + SLACK;
        let first = self.first.as_ref();
        let first = first.filter(|_| self.deadline.is_some_and(|deadline| until <= deadline))?;
        *first.queue.front() = Some(Front { until, reason });
        Some(until)
    }
}

/// The caller whose turn it is. The next one's turn comes when this is dropped.
struct First {
    queue: Arc<Queue>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for First {
    fn drop(&mut self) {
        *self.queue.front() = None;
    }
}

/// The longest wait: a year. A longer one may exceed the range of a clock.
const MAX_WITHIN: Duration = Duration::from_secs(366 * 86_400);

/// What is added to each wait: if the timer fired a fraction of a millisecond early, it would cost another attempt.
const SLACK: Duration = Duration::from_millis(1);

/// The callers that wait, in a queue for each visitor.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    by_key: HashMap<Key, Arc<Queue>>,
    waiting: usize,
}

/// The callers of one visitor.
struct Queue {
    /// One permit, for the caller whose turn it is.
    turn: Arc<Semaphore>,
    /// That caller, once it was refused and waits to try again.
    front: Mutex<Option<Front>>,
}

/// A caller that was refused, and tries again at this moment.
#[derive(Clone, Copy)]
struct Front {
    until: Instant,
    reason: Reason,
}

impl Queue {
    fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            front: Mutex::new(None),
        }
    }

    fn front(&self) -> MutexGuard<'_, Option<Front>> {
        // It is replaced as a whole.
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let new = || Arc::new(Queue::new());
        let queue = queues.by_key.entry(key.clone()).or_insert_with(new).clone();
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
    queue: Arc<Queue>,
}

impl Turn<'_> {
    /// Waits until it is first in the queue. None if that takes longer than until `deadline`.
    async fn first(&self, deadline: Instant) -> Option<First> {
        let permit = self.queue.turn.clone().acquire_owned();
        Some(First {
            _permit: timeout_at(deadline, permit).await.ok()?.ok()?,
            queue: self.queue.clone(),
        })
    }
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
