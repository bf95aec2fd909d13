use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use larder_store::Clock;

/// The number of failures in a row after which the store is left alone.
const FAILURES: u32 = 5;

/// How long the store is left alone before one call tries it again, in microseconds.
const REST_MICROS: i64 = 1_000_000;

/// A circuit breaker: spares loads the store timeout while the far store is down.
///
/// After five failed reads in a row it opens: for a second, reads skip the store, then one of them
/// tries it. An answer closes it, a failure keeps it open for another second.
pub(crate) struct Breaker {
    failures: AtomicU32,
    /// The store is left alone until then.
    rests_until: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Breaker {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            failures: AtomicU32::new(0),
            rests_until: AtomicI64::new(i64::MIN),
            clock,
        }
    }

    /// Returns whether the store may be called. Costs one relaxed load while the store answers.
    pub(crate) fn permits(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES {
            return true;
        }
        let now = self.clock.now().as_micros();
        let until = self.rests_until.load(Ordering::Relaxed);
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
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self) {
        let before = self.failures.load(Ordering::Relaxed);
        self.failures
            .store(before.saturating_add(1), Ordering::Relaxed);
        if before + 1 >= FAILURES {
            let until = self.clock.now().as_micros() + REST_MICROS;
            self.rests_until.fetch_max(until, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_store::ManualClock;

    use super::*;

    #[test]
    fn a_store_that_fails_five_times_is_left_alone_for_a_second_and_then_tried_once() {
        let clock = ManualClock::default();
        let breaker = Breaker::new(Arc::new(clock.clone()));
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
}
