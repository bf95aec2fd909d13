use std::fmt;
use std::time::Duration;

use larder_store::Ttl;

use crate::JobId;

/// The outcome of an enqueue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// The job is in the queue, under this id.
    New(JobId),
    /// Nothing was added: this job has the same id, or the same [unique](crate::NewJob::with_unique) key.
    ///
    /// After a lost reply, the id of the request itself means that the first request was carried out.
    Duplicate(JobId),
}

impl Enqueued {
    /// Returns the id of the job that is in the queue.
    pub fn id(&self) -> &JobId {
        match self {
            Self::New(id) | Self::Duplicate(id) => id,
        }
    }
}

/// The holder's decision about a delivery. `Debug` shows neither a reason nor progress.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The job is done.
    Ack,
    /// The job failed, and is taken again after the delay: see [`Queue::nack`](crate::Queue::nack).
    Nack {
        /// How long the job is hidden.
        delay: Duration,
        /// Why it failed, for people; at most 256 bytes are kept.
        reason: String,
    },
    /// The job can never succeed, and becomes a dead letter.
    Reject {
        /// Why, for people; at most 256 bytes are kept.
        reason: String,
    },
    /// The job was not worked on: it is taken again after the delay, and this attempt is not counted.
    Release {
        /// How long the job is hidden.
        delay: Duration,
    },
    /// Work on the job continues: its lease ends this long after now.
    Extend {
        /// How long the lease lasts from now on.
        lease: Ttl,
    },
    /// Work on the job continues, and this is its progress. Its lease stays.
    Progress {
        /// The progress, for people; at most 256 bytes are kept. It replaces what was reported before.
        text: String,
    },
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ack => f.write_str("Ack"),
            Self::Nack { delay, .. } => {
                let mut shown = f.debug_struct("Nack");
                shown.field("delay", delay).finish_non_exhaustive()
            }
            Self::Reject { .. } => f.debug_struct("Reject").finish_non_exhaustive(),
            Self::Release { delay } => f.debug_struct("Release").field("delay", delay).finish(),
            Self::Extend { lease } => f.debug_struct("Extend").field("lease", lease).finish(),
            Self::Progress { .. } => f.debug_struct("Progress").finish_non_exhaustive(),
        }
    }
}

/// The outcome of a [`Verdict`], for each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lost lease means that another worker has taken the job, or will"]
pub enum Settled {
    /// It was carried out.
    Accepted,
    /// It was carried out, and the job is a dead letter: it was rejected, or this was its last attempt.
    Dead,
    /// The job is done. An earlier request of yours was carried out, or another holder has done it.
    AlreadyDone,
    /// The job was reclaimed, cancelled or purged. Nothing was changed.
    ///
    /// If you repeat a nack, a rejection or a release after its reply was lost, this means most likely that the first
    /// request was carried out.
    LeaseLost,
}

impl Settled {
    /// Returns whether this request was carried out.
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::Dead)
    }
}
