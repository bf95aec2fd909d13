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

/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl NewLimit {
    pub(super) fn per_second(most: NonZeroU32) -> Self {
        let most = u64::from(most.get());
        let interval = (SECOND / most).max(1);
        Self {
            interval,
            burst: interval * most,
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
        let at = |now: u64| (0..100).filter(|_| limit.allows_at(now)).count();
        assert_eq!(at(0), 10);
        assert_eq!(at(SECOND / 10 - 1), 0);
        assert_eq!(at(SECOND / 10), 1);
        assert_eq!(at(100 * SECOND), 10);
    }

    #[test]
    fn no_more_pass_at_once_than_the_limit_if_its_interval_is_no_whole_number() {
        for most in [3, 7, 60_000] {
            let limit = NewLimit::per_second(NonZeroU32::new(most).unwrap());
            let passed = (0..100_000).filter(|_| limit.allows_at(0)).count();
            assert_eq!(u32::try_from(passed), Ok(most));
        }
    }

    #[test]
    fn a_limit_that_no_process_reaches_refuses_no_thread_with_an_older_time() {
        let limit = NewLimit::per_second(NonZeroU32::MAX);
        assert!(limit.allows_at(100) && limit.allows_at(99));
    }
}
