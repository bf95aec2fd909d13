use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::MAX_INT;

/// A moment by the store's clock: microseconds since the Unix epoch, within 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `micros` microseconds later, or earlier where negative; it saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this is; zero where it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Where an in-process store reads the time. It never goes back.
///
/// # Implementing
/// A store reads it under its own locks: a clock does not wait, and does not use the store.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Whether the clock stands still until it is moved by hand; then it wakes `waker` when it is
    /// next moved. Who waits for a moment of a clock that goes by itself sets a timer.
    fn wake_when_moved(&self, waker: &Waker) -> bool {
        let _ = waker;
        false
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn wake_when_moved(&self, waker: &Waker) -> bool {
        (**self).wake_when_moved(waker)
    }
}

/// The system's monotonic clock, set to the wall clock once, when it is made.
///
/// A step of the wall clock later on does not move it.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
    wall_micros: i64,
}

impl Default for SystemClock {
    fn default() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            wall_micros: i64::try_from(wall.as_micros()).unwrap_or(0),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed();
        // Two multiplications, where `as_micros` divides 128 bits.
        let micros = elapsed.as_secs() as i64 * 1_000_000 + i64::from(elapsed.subsec_micros());
        Timestamp(self.wall_micros.saturating_add(micros))
    }
}

/// A clock that stands still until it is told to move, for tests.
///
/// Clones share the time.
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

struct Hands {
    micros: AtomicI64,
    waiting: Mutex<Vec<Waker>>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Hands {
            micros: AtomicI64::new(now.as_micros()),
            waiting: Mutex::default(),
        }))
    }

    /// Moves the clock forward, to 2^53 microseconds at most.
    pub fn advance(&self, by: Duration) {
        self.advance_micros(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Moves the clock forward by microseconds, to 2^53 at most.
    pub fn advance_micros(&self, micros: i64) {
        let later = |now: i64| Some(now.max(now.saturating_add(micros.max(0)).min(MAX_INT)));
        // It always gives a moment, so it always succeeds.
        let _ = self
            .0
            .micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        self.wake();
    }

    /// Moves the clock to `to`, unless it is there already or past it.
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
    /// A clock that shows the first second of 2026.
    fn default() -> Self {
        Self::new(Timestamp(1_767_225_600_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.micros.load(Ordering::SeqCst))
    }

    fn wake_when_moved(&self, waker: &Waker) -> bool {
        // Cloned, and dropped if it is known, out of the lock: both run code of the waker's owner.
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
    fn a_clock_that_is_moved_by_hand_never_goes_back_and_never_past_what_scripts_can_count() {
        let clock = ManualClock::default();
        for by in [Duration::ZERO, Duration::MAX, Duration::MAX] {
            let before = clock.now();
            clock.advance(by);
            assert!(clock.now() >= before && clock.now().as_micros() <= MAX_INT);
        }
        clock.advance_micros(i64::MIN);
        assert_eq!(clock.now(), Timestamp(MAX_INT));
        clock.advance_to(Timestamp(i64::MIN));
        assert_eq!(clock.now(), Timestamp(MAX_INT));
    }
}
