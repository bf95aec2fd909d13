use std::fmt;
use std::sync::Arc;

use larder_store::Timestamp;
use larder_store::lease::Fence;

use crate::body::{self, Body, Headers, PayloadError};
use crate::{Job, JobId};

/// A job that was taken, under a lease.
///
/// The holder settles it by its [`receipt`](Self::receipt). If the lease ends before that, another worker
/// can take the job. Dropping a delivery changes nothing.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) receipt: Receipt,
    pub(crate) body: Result<Body, PayloadError>,
    pub(crate) attempt: u32,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) due_at: Timestamp,
    pub(crate) taken_at: Timestamp,
    pub(crate) lease_ends: Timestamp,
}

/// The right to settle a delivery: the id of the job, and the fence of its lease.
///
/// The fence is the moment at which the job was taken, by the store's clock in microseconds, and rises with
/// each delivery of the queue. Extending the lease keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(crate) id: JobId,
    pub(crate) fence: i64,
    /// The number of the partition, for [`Partitioned`](crate::Partitioned).
    pub(crate) partition: u16,
}

impl Receipt {
    /// Returns the id of the job.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Returns the fence. The system that the job writes to can refuse a lower one, as `Fenced::put` does.
    pub fn fence(&self) -> Fence {
        Fence::from_u64(self.fence.unsigned_abs())
    }
}

impl Delivery {
    /// Returns the id of the job.
    pub fn id(&self) -> &JobId {
        &self.receipt.id
    }

    /// Returns the receipt, which settles the job.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Returns the name of the job. It is empty if the stored bytes are damaged.
    pub fn name(&self) -> &str {
        self.body.as_ref().map_or("", |body| &body.name)
    }

    /// Returns the number of this attempt, from 1. Released attempts are not counted.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the group of the job.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Returns the headers. There are none if the stored bytes are damaged.
    pub fn headers(&self) -> &Headers {
        self.body
            .as_ref()
            .map_or(&body::NO_HEADERS, |it| &it.headers)
    }

    /// Returns the payload as it is stored.
    ///
    /// # Errors
    /// [`PayloadError::Damaged`] if the stored bytes are not those that were enqueued.
    pub fn payload(&self) -> Result<&[u8], PayloadError> {
        match &self.body {
            Ok(body) => Ok(&body.payload),
            Err(error) => Err(error.clone()),
        }
    }

    /// Decodes the job.
    ///
    /// # Errors
    /// [`PayloadError`] if the job has another name or the payload cannot be read as a `J`. Reject such a
    /// job, or let it be retried if a newer version of the app may be able to read it.
    pub fn job<J: Job>(&self) -> Result<J, PayloadError> {
        match &self.body {
            Ok(body) => body.job(),
            Err(error) => Err(error.clone()),
        }
    }

    /// Returns when the job was enqueued, by the store's clock.
    pub fn enqueued_at(&self) -> Timestamp {
        self.enqueued_at
    }

    /// Returns the time from which this attempt was possible, by the store's clock.
    pub fn due_at(&self) -> Timestamp {
        self.due_at
    }

    /// Returns when the job was taken, by the store's clock.
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// Returns when the lease ends, by the store's clock. Extending it does not change this value.
    ///
    /// The holder measures the time by its own monotonic clock, from before its request, and considers the
    /// lease lost after `lease_ends - taken_at`.
    pub fn lease_ends(&self) -> Timestamp {
        self.lease_ends
    }
}

impl fmt::Debug for Delivery {
    /// Shows no payload and no header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", self.id())
            .field("name", &self.name())
            .field("attempt", &self.attempt)
            .field("fence", &self.receipt.fence)
            .field("lease_ends", &self.lease_ends)
            .finish_non_exhaustive()
    }
}
