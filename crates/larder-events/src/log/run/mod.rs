//! A consumer that runs a handler.

mod calls;
mod event;
mod holding;
mod running;
mod settling;
mod tally;

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_store::Result;
use serde::de::DeserializeOwned;

use super::{Consumer, MAX_BATCH};
use running::Running;

pub use event::{Event, EventError, EventErrorKind};

/// The outcomes of the events of a consumer that has stopped.
///
/// If the reply to an outcome is lost, it is sent again. If the store then answers that the delivery is settled or
/// superseded, the event counts as what was sent: most likely the first call has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many events were handled and acknowledged.
    pub done: u64,
    /// How many times an event was handed back to be delivered again: the handler failed or panicked.
    pub retried: u64,
    /// How many events the handler declared dead.
    pub dead: u64,
    /// How many events were no longer held when their handler was done, so that nothing was acknowledged: another
    /// consumer took them, or they are lost.
    pub stale: u64,
    /// How many events were handed back at the end: their handlers were not done within the grace period, or the
    /// store did not answer when they were acknowledged.
    pub released: u64,
    /// How many events the group had lost when this consumer read: they were past the hard bound of the log.
    pub lost: u64,
}

/// How a consumer runs its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    concurrency: usize,
    backoff: Duration,
    grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 1,
            backoff: Duration::from_secs(1),
            grace: Duration::from_secs(25),
        }
    }
}

impl<T> Consumer<T> {
    /// Handles this many events at once, 1 to [`MAX_BATCH`]. The default is 1: one after the other.
    ///
    /// An event that is tried again comes after later ones, and the consumers of a group share its events: where order
    /// matters, compare [`Event::id`].
    #[must_use]
    pub fn with_concurrency(mut self, events: usize) -> Self {
        self.settings.concurrency = events.clamp(1, MAX_BATCH);
        self
    }

    /// Sets the pause before an event is delivered again for the first time. The default is one second.
    ///
    /// It doubles each time, up to the lease of the group. Each pause is drawn at random, from half of that to all
    /// of it.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration) -> Self {
        self.settings.backoff = first.max(Duration::from_millis(1));
        self
    }

    /// Sets how long handlers may go on after the consumer is told to stop. The default is 25 seconds, so that it
    /// ends within the 30 that orchestrators allow: the store is tried for 3 seconds more.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Ends the grace period once `signal` resolves, for example at a second signal, whatever the store does.
    #[must_use]
    pub fn with_force(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.force = Mutex::new(Some(Box::pin(signal)));
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Consumer<T> {
    /// Passes each event to `handler`, in a task of its own, until `shutdown` resolves.
    ///
    /// It takes only as many events as it has room for, and renews the leases of those in its handlers. An event
    /// is acknowledged when its handler returns `Ok`. If the handler fails or panics, the event is delivered again after
    /// a pause, until it becomes a dead letter. The same applies to an event that is not a `T`, which a newer version
    /// may be able to read. An error of the store never ends the call: it tries again, with a pause of at most five
    /// seconds. An outcome is sent until the store answers: as long as the lease lasts, and at least five times. One
    /// that the store refuses is sent five times. Without an answer the event is delivered again after its lease.
    ///
    /// After `shutdown` it takes no more events, waits for its handlers for the [grace period](Self::with_grace),
    /// aborts those that are left, hands their events back, and removes itself. A handler that blocks its thread
    /// cannot be aborted: it may still run when its event is delivered to another consumer.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call aborts its handlers. Their events are delivered again after the lease.
    pub async fn run_until<F, R>(
        self,
        shutdown: impl Future<Output = ()> + Send,
        handler: F,
    ) -> Report
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), EventError>> + Send + 'static,
    {
        let mut running = Running::new(self);
        let (calls, grace) = (running.calls.clone(), running.consumer.settings.grace);
        let force = match running.consumer.force.get_mut() {
            Ok(force) => force.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        let told = async {
            shutdown.await;
            calls.stop(grace);
            if let Some(force) = force {
                force.await;
                calls.end();
            }
            pending::<()>().await;
        };
        let handler = Arc::new(handler);
        let work = async {
            running.work(&handler).await;
            running.finish().await;
        };
        // Concurrently, so that a store that hangs hides neither signal.
        tokio::select! {
            biased;
            () = told => {}
            () = work => {}
        }
        running.remove().await;
        running.holding.tally.report
    }
}
