use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Why a flight ended without an outcome, or why a follower stopped waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The follower's deadline passed.
    TimedOut,
    /// The leader panicked.
    Panicked,
    /// The leader was dropped before it completed.
    Abandoned,
}

/// A caller that waits for the leader of a flight.
///
/// It can be dropped at any time.
pub struct Follower<T> {
    pub(super) flight: Arc<Flight<T>>,
}

/// One piece of work, and its outcome.
pub(super) struct Flight<T> {
    outcome: OnceLock<Result<T, Failure>>,
    completed: Notify,
    pub(super) is_invalidated: AtomicBool,
}

impl<T> Flight<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            outcome: OnceLock::new(),
            completed: Notify::new(),
            is_invalidated: AtomicBool::new(false),
        })
    }

    /// Wakes every follower. The first outcome counts.
    pub(super) fn end(&self, outcome: Result<T, Failure>) {
        let _ = self.outcome.set(outcome);
        self.completed.notify_waiters();
    }
}

impl<T: Clone> Follower<T> {
    /// Waits for the outcome of the flight, at most until `deadline`.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// # Cancellation
    /// A dropped call stops waiting; the flight goes on.
    pub async fn outcome(&self, deadline: Instant) -> Result<T, Failure> {
        // Subscribed before the outcome is read, so that no end is missed in between.
        let completed = self.flight.completed.notified();
        if let Some(outcome) = self.flight.outcome.get() {
            return outcome.clone();
        }
        let waited = tokio::time::timeout_at(deadline, completed).await;
        match (self.flight.outcome.get(), waited) {
            (Some(outcome), _) => outcome.clone(),
            (None, Err(_)) => Err(Failure::TimedOut),
            // The outcome is set before anyone is woken.
            (None, Ok(())) => Err(Failure::Abandoned),
        }
    }
}
