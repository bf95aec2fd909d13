//! The queue of the callers of each visitor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::{Decision, RateLimiter, Reason};

/// How often a caller looks for a place that was given back.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A caller whose turn has come, or that does not wait.
pub(super) struct Queued<'a> {
    /// The end of its wait. None if it does not wait.
    deadline: Option<Instant>,
    // In this order, so that the queue is free when the turn ends.
    first: Option<First>,
    turn: Option<Turn<'a>>,
}

impl<'a> Queued<'a> {
    /// Waits for its turn, for at most `within`. If too many callers wait already, it does not wait.
    pub(super) async fn join(turns: &'a Turns, key: &Key, within: Duration) -> Self {
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
    pub(super) fn waits_behind(&self) -> Option<Front> {
        match (&self.first, &self.turn) {
            (None, Some(turn)) => *turn.queue.front(),
            _ => None,
        }
    }

    /// Returns when to try again after a decision. None if the caller accepts the decision.
    pub(super) fn pause(&self, decision: &Decision) -> Option<Instant> {
        let reason = decision.reason()?;
        let wait = match reason {
            Reason::Concurrency => decision.retry_after().min(CHECK_INTERVAL),
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

/// Added to each wait, because a timer that fires a fraction of a millisecond early would cost another attempt.
pub(super) const SLACK: Duration = Duration::from_millis(1);

/// The callers that wait, in a queue for each visitor.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    by_key: HashMap<Key, Callers>,
    waiting: usize,
}

/// A queue, and how many callers are in it.
struct Callers {
    queue: Arc<Queue>,
    number: usize,
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
pub(super) struct Front {
    pub(super) until: Instant,
    pub(super) reason: Reason,
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
        let none = || Callers {
            queue: Arc::new(Queue::new()),
            number: 0,
        };
        let callers = queues.by_key.entry(key.clone()).or_insert_with(none);
        callers.number += 1;
        Some(Turn {
            turns: self,
            key: key.clone(),
            queue: callers.queue.clone(),
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
        if let Some(callers) = queues.by_key.get_mut(&self.key) {
            callers.number -= 1;
            if callers.number == 0 {
                queues.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

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

    #[test]
    fn a_queue_is_gone_though_all_of_its_callers_leave_at_once() {
        let turns = Turns::default();
        let key = Key::new(Kind::record("limit"), "ada");
        for _ in 0..1_000 {
            let all: Vec<_> = (0..4).map(|_| turns.join(&key)).collect();
            let barrier = Barrier::new(all.len());
            std::thread::scope(|scope| {
                for turn in all {
                    scope.spawn(|| {
                        barrier.wait();
                        drop(turn);
                    });
                }
            });
            assert!(turns.queues().by_key.is_empty());
        }
    }
}
