use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Something that a worker did: on which key, from when to when, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The number of the key.
    pub key: u32,
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
    /// A claim that was granted with this fence.
    Lead(u64),
    /// An attempt to take a lock that another held until its time was over.
    Busy,
    /// An attempt to take a lock that the store failed.
    Failed,
    /// A commit with this fence that was acknowledged.
    Commit(u64),
    /// A commit with this fence that was refused.
    Refused(u64),
    /// A commit with this fence whose answer was lost.
    Lost(u64),
    /// A release of a lock that was held under this fence up to then.
    Release(u64),
    /// An invalidation that was acknowledged.
    Invalidate,
    /// A read of what was committed with this fence.
    Read(u64),
}

/// Returns the moment, in microseconds of the machine's clock, which all processes share.
#[must_use]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}
