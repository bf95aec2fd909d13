use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::{Clock, Timestamp};
use crate::program::MAX_INT;

/// A clock that moves only when a test moves it.
///
/// Clones share the time.
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

struct Hands {
    micros: AtomicI64,
    waiting: Mutex<Vec<Waker>>,
}

impl ManualClock {
    /// Makes a clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Hands {
            micros: AtomicI64::new(now.as_micros()),
            waiting: Mutex::default(),
        }))
    }

    /// Moves the clock forward, to at most 2^53 microseconds since the epoch.
    pub fn advance(&self, by: Duration) {
        self.advance_micros(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Moves the clock forward by microseconds, to at most 2^53 since the epoch.
    ///
    /// A negative number does not move it.
    pub fn advance_micros(&self, micros: i64) {
        let later = |now: i64| Some(now.max(now.saturating_add(micros.max(0)).min(MAX_INT)));
        // The closure always returns a time, so this always succeeds.
        let _ = self
            .0
            .micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        self.wake();
    }

    /// Moves the clock forward to `to`, but never backward.
    pub fn advance_to(&self, to: Timestamp) {
        self.0.micros.fetch_max(to.as_micros(), Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        let waiting = self.0.waiting.lock();
        let waiting = std::mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Default for ManualClock {
    /// Makes a clock that shows the first second of 2026.
    fn default() -> Self {
        Self::new(Timestamp::from_micros(1_767_225_600_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.micros.load(Ordering::SeqCst))
    }

    fn wake_when_moved(&self, waker: &Waker) -> bool {
        // Cloned, and dropped if it is known, outside the lock: both run code of the waker's owner.
        let waker = waker.clone();
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|known| known.will_wake(&waker)) {
            waiting.push(waker);
        }
        true
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now().as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_never_goes_back_and_never_beyond_2_53() {
        let clock = ManualClock::default();
        for by in [Duration::ZERO, Duration::MAX, Duration::MAX] {
            let before = clock.now();
            clock.advance(by);
            assert!(clock.now() >= before && clock.now().as_micros() <= MAX_INT);
        }
        clock.advance_micros(i64::MIN);
        assert_eq!(clock.now(), Timestamp::from_micros(MAX_INT));
        clock.advance_to(Timestamp::from_micros(i64::MIN));
        assert_eq!(clock.now(), Timestamp::from_micros(MAX_INT));
    }
}
