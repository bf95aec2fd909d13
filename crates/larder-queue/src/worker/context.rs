use std::fmt;
use std::sync::Arc;

use larder_store::lease::Fence;
use larder_store::{Result, Timestamp, Ttl};
use tokio_util::sync::CancellationToken;

use super::lease::{self, Lease};
use crate::{Delivery, Headers, JobId, Queue, Settled};

/// The run of a job, as its handler sees it.
///
/// Clones are handles to the same run.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

struct Inner {
    queue: Queue,
    delivery: Delivery,
    /// None if it runs inline: no other worker can get the job.
    lease: Option<Arc<Lease>>,
    cancelled: CancellationToken,
}

/// The header with the trace of the code that enqueued a job: <https://www.w3.org/TR/trace-context/>.
pub const TRACEPARENT: &str = "traceparent";

impl JobContext {
    pub(super) fn new(
        queue: Queue,
        delivery: Delivery,
        lease: Option<Arc<Lease>>,
        cancelled: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            queue,
            delivery,
            lease,
            cancelled,
        }))
    }

    /// Returns the id of the job.
    pub fn id(&self) -> &JobId {
        self.0.delivery.id()
    }

    /// Returns the name of the job.
    pub fn name(&self) -> &str {
        self.0.delivery.name()
    }

    /// Returns the name of the queue.
    pub fn queue(&self) -> &str {
        self.0.queue.name()
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.delivery.attempt()
    }

    /// Returns whether a failure of this attempt makes the job a dead letter.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt() >= self.0.queue.max_attempts()
    }

    /// Returns whether its queue remembers that it is done.
    pub(super) fn remembers_done(&self) -> bool {
        self.0.queue.remembers_done()
    }

    /// Returns the headers that the job was enqueued with.
    pub fn headers(&self) -> &Headers {
        self.0.delivery.headers()
    }

    /// Returns the trace of the code that enqueued the job, if it is in the header [`TRACEPARENT`].
    pub fn traceparent(&self) -> Option<&str> {
        self.headers().get(TRACEPARENT).map(String::as_str)
    }

    /// Returns the group of the job.
    pub fn group(&self) -> Option<&str> {
        self.0.delivery.group()
    }

    /// Returns when the job was enqueued, by the store's clock.
    pub fn enqueued_at(&self) -> Timestamp {
        self.0.delivery.enqueued_at()
    }

    /// Returns the fence of the lease: a number that rises with each delivery of the queue.
    ///
    /// The system that the job writes to can refuse a lower one, so that a run that lost its lease writes
    /// nothing.
    pub fn fence(&self) -> Fence {
        self.0.delivery.receipt().fence()
    }

    /// Waits until the job should stop: its lease is lost, or the worker is stopping and its grace period is
    /// over.
    ///
    /// Select over this in a handler that has work to save. If the worker is stopping, the handler is dropped
    /// a moment later.
    pub async fn cancelled(&self) {
        tokio::select! {
            () = self.0.cancelled.cancelled() => {}
            () = self.lease_lost() => {}
        }
    }

    /// Returns whether the job should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled() || self.is_lease_lost()
    }

    /// Waits until the lease is lost: another worker has taken the job, or will.
    ///
    /// It resolves by this process's own clock, whatever happens to the store, before any other worker can get
    /// the job. A handler that blocks its thread sees it late: it should write with the [fence](Self::fence).
    pub async fn lease_lost(&self) {
        match &self.0.lease {
            Some(lease) => lease.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Returns whether the lease is lost.
    pub fn is_lease_lost(&self) -> bool {
        self.0.lease.as_ref().is_some_and(|lease| lease.is_lost())
    }

    /// Extends the lease to `lease` from now on, and returns whether it is still held. One round trip.
    ///
    /// A lease that already lasts longer stays as it is.
    ///
    /// The worker renews leases by itself; use this for work during which it cannot, such as a long
    /// computation that blocks the runtime.
    ///
    /// # Errors
    /// Those of [`Queue::extend`]. The lease then lasts at least until its former end.
    pub async fn extend(&self, lease: Ttl) -> Result<bool> {
        match &self.0.lease {
            Some(held) => Ok(lease::extend(&self.0.queue, held, lease).await? == Settled::Accepted),
            None => Ok(true),
        }
    }

    /// Reports the progress of the job, for people: [`JobView::progress`](crate::JobView::progress) shows it.
    ///
    /// The call itself costs nothing: the worker sends the newest text, at most once a second and together
    /// with those of other jobs, while the handler runs and its lease is held. At most 256 bytes are kept.
    pub fn progress(&self, text: impl Into<String>) {
        if let Some(lease) = &self.0.lease {
            lease.report(text.into());
        }
    }

    pub(super) fn delivery(&self) -> &Delivery {
        &self.0.delivery
    }

    /// Returns whether the worker is stopping and its grace period is over.
    pub(super) fn is_interrupted(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("queue", &self.queue())
            .field("delivery", &self.0.delivery)
            .field("is_cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
