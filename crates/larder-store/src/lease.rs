//! Leases elect one caller at a time to produce the value of a key.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::outcome::{FollowOutcome, LeaseOutcome};

use crate::request::keyed;
use crate::{DeleteOutcome, Entry, Key, Put, PutOutcome, Result, Timestamp, Ttl, Version};

/// A fencing token: the number of a lease, which rises with each lease.
///
/// It is `max(last + 1, now)`, in microseconds of the store's clock, so it rises even if the last
/// one was lost in a failover. So it may be ahead of the clock, and is not the time of the grant. The idea
/// is from M. Kleppmann, "How to do distributed locking" (2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// Returns the fence that follows `last`, at `now`.
    pub fn after(last: Option<Self>, now: Timestamp) -> Self {
        let next = last.map_or(0, |Self(last)| last.saturating_add(1));
        Self(next.max(u64::try_from(now.as_micros()).unwrap_or(0)))
    }

    /// Makes the fence with this number.
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Returns its number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// A request for the lease of a key.
#[derive(Clone, Debug)]
pub struct Claim {
    key: Key,
    hold: Ttl,
    seen: Option<Version>,
}

impl Claim {
    /// Requests the lease of `key`, which ends after `hold` unless it is renewed.
    pub fn new(key: Key, hold: Ttl) -> Self {
        Self {
            key,
            hold,
            seen: None,
        }
    }

    /// Asks for a value other than that of `version`, which the caller has read.
    #[must_use]
    pub fn having_seen(mut self, version: Version) -> Self {
        self.seen = Some(version);
        self
    }

    /// Returns how long the lease is held, from the moment it is granted.
    pub fn hold(&self) -> Ttl {
        self.hold
    }

    /// Returns the version that the caller has read, if any.
    pub fn seen(&self) -> Option<Version> {
        self.seen
    }
}

keyed!(Claim);

/// The answer to a [`Claim`].
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The key holds a value that the caller has not seen, whether or not there is a lease.
    Fresh(Entry),
    /// You lead: produce the value, and [`commit`](Leases::commit) it with this fence.
    ///
    /// The value that you have seen may still be there.
    Lead(Fence),
    /// Another caller leads; the value that you have seen is still there to be served.
    Stale,
    /// Another caller leads, and there is no value: [`follow`](Leases::follow).
    Follow,
}

/// Elects one caller at a time to produce a key's value, and refuses late writers.
///
/// A lease is separate from the key's value, which a plain [`get`](crate::Store::get) reads. It ends with a
/// commit, an abandon or an invalidation, or when its time has passed by the store's clock. Only its
/// holder can commit: a value that was produced before an invalidation, or under a lease that has ended,
/// is refused. Plain puts and deletes need no lease and do not move the fence.
///
/// Every operation is atomic on its key. Keys of [`Content::Record`](crate::Content::Record) are refused
/// with [`Refusal::WrongType`](crate::Refusal::WrongType).
///
/// # Errors
/// Those of [`Store`](crate::Store). [`Refusal::Full`](crate::Refusal::Full) if the store has no room
/// for another lease; then nothing has changed.
///
/// # Cancellation
/// A dropped call may or may not have run. The lease of a dropped claim ends when its time has passed.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Requests a lease, or returns the value that makes it unnecessary. One round trip.
    ///
    /// It is never sent twice. After [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun) a lease may
    /// be held until its time has passed, though no caller knows its fence.
    async fn claim(&self, claim: &Claim) -> Result<Claimed>;

    /// Sets the remaining time of the lease to `hold`, if `fence` still holds it. One round trip.
    ///
    /// `hold` may be longer or shorter than the time that was left.
    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome>;

    /// Writes the value and ends the lease, if `fence` still holds it. One round trip.
    ///
    /// [`NotStored`](PutOutcome::NotStored) means that nothing changed. The condition of the put
    /// must be met too; if it is not, the lease stays. An error keeps the lease as well. A value that
    /// is too large is refused, whether or not `fence` holds the lease. After
    /// [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun),
    /// [`settle`](crate::StoreExt::settle) reads back whether the value was stored.
    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome>;

    /// Ends the lease without a value, if `fence` still holds it. One round trip.
    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome>;

    /// Deletes the value and ends the lease, whoever holds it, in one step. One round trip.
    ///
    /// A value that is being produced meanwhile is refused when it is committed. The operation is
    /// idempotent, so it is sent again if its answer was lost; the outcome is then that of the second
    /// run.
    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome>;

    /// Calls [`invalidate`](Self::invalidate) for many keys. One round trip per node.
    ///
    /// Returns a result for each key, in their order. The batch is not atomic.
    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>>;

    /// Waits at most `within` until the lease that is held now has ended.
    ///
    /// Returns at once if nobody holds a lease. After the end, another caller may already hold the
    /// next lease: claim, and look at the answer. `within` is measured by tokio's clock, the lease by
    /// the store's. Call it inside a tokio runtime with the time driver enabled.
    ///
    /// A backend over a network waits for a message, or polls; its documentation says which.
    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_rises_whatever_the_clock_does() {
        let at = Timestamp::from_micros;
        let first = Fence::after(None, at(1_000));
        assert_eq!(first, Fence(1_000));
        assert_eq!(Fence::after(Some(first), at(5_000)), Fence(5_000));
        assert_eq!(Fence::after(Some(first), at(1_000)), Fence(1_001));
        assert_eq!(Fence::after(Some(first), at(0)), Fence(1_001));
    }
}
