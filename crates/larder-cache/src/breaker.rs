use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use larder_store::Clock;

/// The number of failures in a row after which the store is left alone.
const FAILURES: u32 = 5;

/// How long the store is left alone before one call tries it again, in microseconds.
const REST_MICROS: i64 = 1_000_000;

/// A circuit breaker: spares loads the store timeout while the far store is down.
///
/// It opens after five failed reads in a row, if the store has not answered for as long as the store timeout: for a
/// second, reads skip the store, then one of them tries it. An answer closes it, a failure keeps it open for
/// another second.
///
/// A node of a cluster that is down fails the reads of its own keys while the other nodes answer, so a few
/// failures in a row say nothing about the store.
pub(crate) struct Breaker {
    failures: AtomicU32,
    /// When the store answered last.
    succeeded_at: AtomicI64,
    /// The store is left alone until then. [`CLOSED`] if it is not.
    rests_until: AtomicI64,
    /// The store timeout, in microseconds.
    quiet: i64,
    clock: Arc<dyn Clock>,
}

const CLOSED: i64 = i64::MIN;

impl Breaker {
    pub(crate) fn new(clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self {
            failures: AtomicU32::new(0),
            succeeded_at: AtomicI64::new(i64::MIN),
            rests_until: AtomicI64::new(CLOSED),
            quiet: i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX),
            clock,
        }
    }

    /// Returns whether the store may be called. Costs one relaxed load while the store answers.
    pub(crate) fn permits(&self) -> bool {
        let until = self.rests_until.load(Ordering::Relaxed);
        if until == CLOSED {
            return true;
        }
        let now = self.now();
        // Of the callers after the pause, one tries.
        until <= now
            && self
                .rests_until
                .compare_exchange(
                    until,
                    now + REST_MICROS,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    pub(crate) fn succeeded(&self) {
        self.succeeded_at.store(self.now(), Ordering::Relaxed);
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        // Asked for by itself: a failure at the same time may open it after the failures were forgotten.
        if self.rests_until.load(Ordering::Relaxed) != CLOSED {
            self.rests_until.store(CLOSED, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self) {
        let before = self.failures.load(Ordering::Relaxed);
        self.failures
            .store(before.saturating_add(1), Ordering::Relaxed);
        let (now, last) = (self.now(), self.succeeded_at.load(Ordering::Relaxed));
        if before + 1 >= FAILURES && now.saturating_sub(last) >= self.quiet {
            self.rests_until
                .fetch_max(now + REST_MICROS, Ordering::Relaxed);
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_micros()
    }
}

#[cfg(test)]
mod tests {
    use larder_store::ManualClock;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(150);

    fn breaker() -> (Breaker, ManualClock) {
        let clock = ManualClock::default();
        (Breaker::new(Arc::new(clock.clone()), TIMEOUT), clock)
    }

    #[test]
    fn a_store_that_fails_five_times_is_left_alone_for_a_second_and_then_tried_once() {
        let (breaker, clock) = breaker();
        for _ in 0..FAILURES {
            assert!(breaker.permits());
            breaker.failed();
        }
        assert!(!breaker.permits());
        clock.advance(Duration::from_secs(1));
        assert!(breaker.permits(), "one tries");
        assert!(!breaker.permits(), "the others wait for it");
        breaker.failed();
        assert!(!breaker.permits());
        clock.advance(Duration::from_secs(1));
        assert!(breaker.permits());
        breaker.succeeded();
        assert!(breaker.permits() && breaker.permits());
    }

    #[test]
    fn an_answer_closes_it_also_if_it_opened_after_the_failures_were_forgotten() {
        let (breaker, clock) = breaker();
        for _ in 0..FAILURES {
            breaker.failed();
        }
        // An answer that came between the two steps of the last failure.
        breaker.failures.store(0, Ordering::Relaxed);
        clock.advance_micros(REST_MICROS);
        assert!(breaker.permits());
        breaker.succeeded();
        assert!(breaker.permits() && breaker.permits());
    }

    #[test]
    fn failures_in_a_row_open_it_only_if_the_store_has_not_answered_for_the_store_timeout() {
        let (breaker, clock) = breaker();
        breaker.succeeded();
        let fail = || {
            for _ in 0..FAILURES * 2 {
                breaker.failed();
            }
        };
        fail();
        clock.advance(TIMEOUT - Duration::from_micros(1));
        fail();
        assert!(breaker.permits() && breaker.permits());
        clock.advance_micros(1);
        breaker.failed();
        assert!(!breaker.permits());
    }
}
