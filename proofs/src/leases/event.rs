use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Something that a worker did: on which key, from when to when, and what came of it.
///
/// Its text is one line, as one process passes it to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A claim that was granted with this fence.
    Lead(u64),
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

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, fence) = match self.what {
            What::Lead(fence) => ("lead", fence),
            What::Commit(fence) => ("commit", fence),
            What::Refused(fence) => ("refused", fence),
            What::Lost(fence) => ("lost", fence),
            What::Release(fence) => ("release", fence),
            What::Invalidate => ("invalidate", 0),
            What::Read(fence) => ("read", fence),
        };
        let (key, began, ended) = (self.key, self.began, self.ended);
        write!(f, "{what} {key} {fence} {began} {ended}")
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let read = || {
            let (what, numbers) = line.split_once(' ')?;
            let mut numbers = numbers.split(' ').map(|number| number.parse::<u64>().ok());
            let mut next = || numbers.next().flatten();
            let (key, fence) = (u32::try_from(next()?).ok()?, next()?);
            let what = match what {
                "lead" => What::Lead(fence),
                "commit" => What::Commit(fence),
                "refused" => What::Refused(fence),
                "lost" => What::Lost(fence),
                "release" => What::Release(fence),
                "invalidate" => What::Invalidate,
                "read" => What::Read(fence),
                _ => return None,
            };
            Some(Self {
                key,
                began: next()?,
                ended: next()?,
                what,
            })
        };
        read().ok_or_else(|| format!("no event: {line}"))
    }
}
