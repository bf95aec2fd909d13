//! Limits how many anonymous sessions a process creates.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Lets a number of sessions pass per second, and as many at once (GCRA).
///
/// Clones count together.
#[derive(Clone)]
pub(super) struct NewLimit {
    interval: u64,
    burst: u64,
    began: Instant,
    /// When all sessions so far would be used up, in nanoseconds since `began`.
    next: Arc<AtomicU64>,
}

impl NewLimit {
    pub(super) fn per_second(most: NonZeroU32) -> Self {
        let interval = 1_000_000_000 / u64::from(most.get());
        Self {
            interval,
            burst: interval * u64::from(most.get()),
            began: Instant::now(),
            next: Arc::default(),
        }
    }

    /// Returns whether another one may be created now, and counts it.
    pub(super) fn allows(&self) -> bool {
        // A process does not run for 2^64 nanoseconds.
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.allows_at(now)
    }

    fn allows_at(&self, now: u64) -> bool {
        let next = |next: u64| {
            let after = next.max(now) + self.interval;
            (after <= now + self.burst).then_some(after)
        };
        let order = Ordering::Relaxed;
        self.next.fetch_update(order, order, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_one_second_allows_pass_at_once_and_then_one_per_interval() {
        let limit = NewLimit::per_second(NonZeroU32::new(10).unwrap());
        let second = 1_000_000_000;
        let at = |now: u64| (0..100).filter(|_| limit.allows_at(now)).count();
        assert_eq!(at(0), 10);
        assert_eq!(at(second / 10 - 1), 0);
        assert_eq!(at(second / 10), 1);
        assert_eq!(at(100 * second), 10);
    }
}
