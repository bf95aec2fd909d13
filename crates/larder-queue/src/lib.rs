#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod body;
mod delivery;
mod id;
mod job;
mod metrics;
mod new_job;
mod partitioned;
pub mod periodic;
mod queue;
mod record;
mod settled;
#[cfg(test)]
mod traces;
pub mod worker;

pub use body::{Headers, PayloadError};
pub use delivery::{Delivery, Receipt};
pub use id::{JobId, MAX_JOB_ID};
pub use job::Job;
pub use metrics::describe_metrics;
pub use new_job::{MAX_DELAY, NewJob, Priority, Until};
pub use partitioned::Partitioned;
pub use queue::{
    Cancelled, Counts, Cursor, DEFAULT_LEASE, JobPage, JobView, MAX_BATCH, Queue, State,
};
pub use record::{InspectQueue, QueueRecord};
pub use settled::{Enqueued, Settled, Verdict};
