//! Leases: one leader at a time for what a key holds, and a fence that keeps late ones out.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Entry, Key, Put, Result, Timestamp, Ttl, Version};

/// The number of one lease on one key; a later lease has a higher one.
///
/// It is `max(last + 1, now)`, in microseconds of the store's clock: so it rises even where the
/// last one was lost, as after a failover to a replica that never had it. The idea of a fencing
/// token is that of M. Kleppmann, "How to do distributed locking" (2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// The fence that follows `last`, at `now`.
    pub fn after(last: Option<Self>, now: Timestamp) -> Self {
        let next = last.map_or(0, |Self(last)| last.saturating_add(1));
        Self(next.max(u64::try_from(now.as_micros()).unwrap_or(0)))
    }

    /// The fence with this number.
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// A wish to lead: to be the one who makes the value of a key.
#[derive(Clone)]
pub struct Claim {
    key: Key,
    hold: Ttl,
    seen: Option<Version>,
}

impl Claim {
    /// A claim of the lease of `key`, to be held for `hold` unless it is renewed.
    pub fn new(key: Key, hold: Ttl) -> Self {
        Self {
            key,
            hold,
            seen: None,
        }
    }

    /// The same claim, by one who has read the value of this version and wants a newer one.
    #[must_use]
    pub fn having_seen(mut self, version: Version) -> Self {
        self.seen = Some(version);
        self
    }

    /// The same claim of another key, for decorators.
    #[must_use]
    pub fn at(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// The key, which is one of a value.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// For how long the lease is held, from the moment that the store grants it.
    pub fn hold(&self) -> Ttl {
        self.hold
    }

    /// The version that was read before, if there was one.
    pub fn seen(&self) -> Option<Version> {
        self.seen
    }
}

/// What a claim comes to.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The key holds a value, and not the one that was seen: somebody was quicker. That somebody
    /// else leads does not matter.
    Fresh(Entry),
    /// You lead: make the value, and [`commit`](Leases::commit) it with this fence. What was seen,
    /// if anything, may still be there.
    Lead(Fence),
    /// Somebody else leads, and the value that was seen is still there to be served meanwhile.
    Stale,
    /// Somebody else leads, and there is no value: [`follow`](Leases::follow).
    Follow,
}

/// The capability to let one at a time make the value of a key, and to keep out whoever comes late.
///
/// A lease stands beside a value that is read by a plain [`get`](crate::Store::get). It is held
/// until it is committed, abandoned, invalidated, or its time has passed by the store's clock. Only
/// its holder commits: a value that was made before an invalidation, or by one whose lease has
/// passed to somebody else, is refused. Plain puts and deletes do not ask for a lease and do not
/// move the fence.
///
/// Every operation is atomic on its key. Keys of [`Content::Record`](crate::Content::Record) are refused
/// with [`Refusal::WrongType`](crate::Refusal::WrongType).
///
/// # Errors
/// As those of [`Store`](crate::Store). [`Refusal::Full`](crate::Refusal::Full) where the store has
/// no room for one more lease; nothing was changed then.
///
/// # Cancellation
/// A dropped call may or may not have happened. A lease whose claim was dropped ends by itself.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Asks for the lease, and for what makes it needless. One round trip.
    ///
    /// After [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun) a lease may be held that
    /// nobody knows of, until its time has passed. It is never sent twice.
    async fn claim(&self, claim: &Claim) -> Result<Claimed>;

    /// Holds the lease for `hold` from now on, be it more or less than was left, if `fence` still
    /// holds it, and tells whether it does. One round trip.
    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<bool>;

    /// Writes the value and gives the lease back, if `fence` still holds it, and tells whether it
    /// did. Where it did not, nothing was changed. One round trip.
    ///
    /// The condition of the put has to be met too; where it is not, the lease is kept and the
    /// answer is false. A refusal keeps the lease too. A value that is too large is refused whoever
    /// holds the lease. After
    /// [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun),
    /// [`settle`](crate::StoreExt::settle) tells what became of it.
    async fn commit(&self, put: &Put, fence: Fence) -> Result<bool>;

    /// Gives the lease back without a value, if `fence` still holds it, and tells whether it did.
    /// One round trip.
    async fn abandon(&self, key: &Key, fence: Fence) -> Result<bool>;

    /// Removes the value and ends the lease, whoever holds it, in one step; tells whether a value
    /// was there. What is being made now is refused when it is committed. One round trip.
    ///
    /// Twice is as good as once, so it is sent again where its answer was lost; it then tells what
    /// the second one found.
    async fn invalidate(&self, key: &Key) -> Result<bool>;

    /// [`invalidate`](Self::invalidate) for each key, with a result for each. Not atomic together.
    /// One round trip for each node.
    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<bool>>;

    /// Waits until the lease that is held now has ended, for `within` at most, and tells whether it
    /// has. Where nobody holds one it is true at once.
    ///
    /// It ends with a commit, with an abandon, with an invalidation, and when its time has passed;
    /// somebody else may hold the next one by then: claim, and look at the answer. `within` is by
    /// tokio's clock, the end of the lease by the store's. It has to be called inside of a tokio
    /// runtime with its time enabled.
    ///
    /// A backend over a network is told by a message, or looks again from time to time; its own page
    /// says which.
    async fn follow(&self, key: &Key, within: Duration) -> Result<bool>;
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
