use serde::{Deserialize, Serialize};

/// What a process saw or did: on which key, from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The number of the process.
    pub process: u32,
    /// The number of the key.
    pub key: u32,
    /// When it was asked for, in microseconds of the machine's clock.
    pub began: u64,
    /// When it was answered.
    pub ended: u64,
    /// What it was.
    pub what: What,
}

/// What was seen or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The source is being given this version.
    Changed(u64),
    /// A read returned this version of the value.
    Read(u64),
    /// An invalidation was acknowledged that began when the source had this version.
    Invalidated(u64),
}
