use serde::{Deserialize, Serialize};

/// Something that a producer or a worker did with a job, from when to when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id of the job.
    pub job: String,
    /// The time of the request, in microseconds of the machine's clock.
    pub began: u64,
    /// The time of the answer.
    pub ended: u64,
    /// The operation and its outcome.
    pub what: What,
}

/// An operation and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The queue acknowledged that it has the job.
    Enqueued,
    /// The job was taken as this attempt, under this fence.
    Taken {
        /// The number of the attempt.
        attempt: u32,
        /// The fence of the lease.
        fence: u64,
    },
    /// The work is done. Written before the ack is sent, so it is known of workers that are killed.
    Worked(u64),
    /// An ack with this fence is about to be sent: the job may end by it even if nobody hears the answer.
    Sent(u64),
    /// The ack with this fence was accepted.
    Acked(u64),
    /// The ack with this fence was refused.
    Refused(u64),
    /// The answer to the ack with this fence was lost.
    Lost(u64),
}
