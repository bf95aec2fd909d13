use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Found, LoadError};

/// One search for the value of one key, which any number of callers wait for.
pub(crate) struct Flight<V> {
    outcome: OnceLock<Outcome<V>>,
    landed: Notify,
    stale: AtomicBool,
}

/// What became of a flight: a value and whether it came from far or from the loader, or nothing.
pub(crate) type Outcome<V> = Result<Found<V>, Failure>;

/// Why a flight has no value. The loader's error is erased: callers of one key may expect
/// different types.
#[derive(Clone)]
pub(crate) enum Failure {
    Loader(Arc<dyn Any + Send + Sync>),
    Panicked,
    TimedOut,
    Abandoned,
}

impl<V> Flight<V> {
    pub(crate) fn new() -> Self {
        Self {
            outcome: OnceLock::new(),
            landed: Notify::new(),
            stale: AtomicBool::new(false),
        }
    }

    /// Marks what it finds as older than an invalidation. Only under the lock of its stripe.
    pub(crate) fn outdate(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Whether its key was invalidated or written since it began.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// Ends the flight and wakes all who wait. Only the first end counts.
    pub(crate) fn land(&self, outcome: Outcome<V>) {
        let _ = self.outcome.set(outcome);
        self.landed.notify_waiters();
    }

    /// Waits for its end, at most until `deadline`.
    ///
    /// It holds up nothing when it is dropped.
    pub(crate) async fn wait(&self, deadline: Instant) -> Outcome<V> {
        // Made before the outcome is looked at, so that no landing falls between the two.
        let landed = self.landed.notified();
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        let waited = tokio::time::timeout_at(deadline, landed).await;
        match (self.outcome(), waited) {
            (Some(outcome), _) => outcome,
            (None, Err(_)) => Err(Failure::TimedOut),
            // A landing sets the outcome first.
            (None, Ok(())) => Err(Failure::Abandoned),
        }
    }

    fn outcome(&self) -> Option<Outcome<V>> {
        self.outcome.get().cloned()
    }
}

impl Failure {
    /// The failure as the caller sees it who expects an error of type `E`, or nothing if the
    /// loader's error is of another type.
    pub(crate) fn into_error<E: Send + Sync + 'static>(self) -> Option<LoadError<E>> {
        Some(match self {
            Self::Loader(error) => LoadError::Loader(error.downcast().ok()?),
            Self::Panicked => LoadError::Panicked,
            Self::TimedOut => LoadError::TimedOut,
            Self::Abandoned => LoadError::Abandoned,
        })
    }
}

/// How many flights are under way, and how many may be.
pub(crate) struct Airspace {
    under_way: AtomicUsize,
    max: usize,
}

impl Airspace {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            max,
        }
    }

    /// Takes a place, or says that there is none.
    pub(crate) fn enter(&self) -> bool {
        let entered = self.under_way.fetch_add(1, Ordering::Relaxed) < self.max;
        if !entered {
            self.leave();
        }
        entered
    }

    /// Gives a place back.
    pub(crate) fn leave(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}
