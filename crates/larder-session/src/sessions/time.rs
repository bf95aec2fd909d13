//! The store's time, without reading it from the store each time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use larder_store::program::Programs;

/// How long a reading of the store's time is used, in microseconds: a second.
const FRESH: i64 = 1_000_000;
/// How much earlier than expected a reading may be that is believed at once, in microseconds: a second.
const SLACK: i64 = 1_000_000;
/// How long after a reading another one can confirm it, in microseconds. Requests at once may all be wrong by the
/// same amount, because they raced the same write.
const APART: i64 = 500_000;

/// The store's clock, as an offset to this process's clock when the store was last read.
///
/// It decides whether to extend the idle deadline, whether a renewal is due, whether a grace is over, and how old a
/// sign-in is. The store itself decides whether a session has ended.
///
/// A reading takes two steps, and may be wrong if the session is written between them: too early by the time since
/// its last use, or by up to a day if it is ended. Then an id whose grace is over would be accepted. So a reading
/// that is much too early needs a second one that agrees with it, as after a failover to a server whose clock is
/// behind.
pub(super) struct StoreTime {
    began: Instant,
    /// What to add to the microseconds since `began`.
    offset: AtomicI64,
    /// The end of the offset's use, in the same microseconds; 0 if it is unknown.
    until: AtomicI64,
    other: Mutex<Other>,
}

/// The offset of a reading that was not believed, or the one before the last that was.
#[derive(Clone, Copy, Default)]
struct Other {
    offset: i64,
    /// When it was read, in microseconds since `began`.
    at: i64,
}

impl Other {
    fn agrees_with(self, offset: i64) -> bool {
        (self.offset - offset).abs() <= SLACK
    }
}

impl StoreTime {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            offset: AtomicI64::new(0),
            until: AtomicI64::new(0),
            other: Mutex::default(),
        }
    }

    /// Returns the time in microseconds. None if the caller should read it from the store.
    ///
    /// When it is time to read it again, only one caller gets None; the others use the old offset.
    pub(super) fn now(&self, programs: &dyn Programs) -> Option<i64> {
        if let Some(now) = programs.now() {
            return Some(now.as_micros());
        }
        let (here, until) = (self.here(), self.until.load(Ordering::Acquire));
        let is_known = until > 0 && (here < until || !self.put_off(until, here + FRESH));
        is_known.then(|| here + self.offset.load(Ordering::Relaxed))
    }

    /// Returns the time by the last known offset, however old that is. None if there never was one.
    pub(super) fn about(&self, programs: &dyn Programs) -> Option<i64> {
        let here = || self.here() + self.offset.load(Ordering::Relaxed);
        let is_known = self.until.load(Ordering::Acquire) > 0;
        let now = programs.now().map(|now| now.as_micros());
        now.or_else(|| is_known.then(here))
    }

    /// Notes a reading of the store's time, and returns the time that applies.
    pub(super) fn learn(&self, now: i64) -> i64 {
        self.learn_at(self.here(), now)
    }

    fn learn_at(&self, here: i64, now: i64) -> i64 {
        let read = now - here;
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match self.until.load(Ordering::Acquire) {
            0 => read,
            _ => self.offset.load(Ordering::Relaxed),
        };
        let is_confirmed = other.agrees_with(read) && here - other.at >= APART;
        let offset = if known - read <= SLACK || is_confirmed {
            // If this one is too late, the next one confirms the offset from before.
            *other = Other {
                offset: known,
                at: here,
            };
            read
        } else {
            if !other.agrees_with(read) {
                *other = Other {
                    offset: read,
                    at: here,
                };
            }
            known
        };
        self.offset.store(offset, Ordering::Relaxed);
        self.until.store(here + FRESH, Ordering::Release);
        here + offset
    }

    fn put_off(&self, until: i64, next: i64) -> bool {
        let changed = self
            .until
            .compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed);
        changed.is_ok()
    }

    fn here(&self) -> i64 {
        // A process does not run for 2^63 microseconds.
        i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;
    const DAY: i64 = 86_400 * SECOND;
    /// The store's clock when the process began.
    const EPOCH: i64 = 1_800_000_000 * SECOND;

    /// Makes a clock that was read at its beginning.
    fn read_at_the_beginning() -> StoreTime {
        let time = StoreTime::new();
        assert_eq!(time.learn_at(0, EPOCH), EPOCH);
        time
    }

    #[test]
    fn a_reading_that_raced_a_write_of_the_session_is_not_believed() {
        // The session was used a minute before, and is touched between the two steps: the deadline that was read
        // is that of a minute before. Or it is ended, with half an hour left, and its key lives for a day.
        for error in [MINUTE, DAY - 30 * MINUTE, SLACK + 1] {
            let time = read_at_the_beginning();
            let mut here = 0;
            for _ in 0..3 {
                here += SECOND;
                let now = EPOCH + here;
                // Each of the requests that raced the same write reads the same.
                for _ in 0..3 {
                    assert_eq!(time.learn_at(here, now - error), now, "{error}");
                }
                here += SECOND;
                let now = EPOCH + here;
                assert_eq!(time.learn_at(here, now), now, "{error}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_behind_is_followed_when_a_second_reading_agrees() {
        for (behind, more) in [(5 * SECOND, 0), (DAY, SLACK), (MINUTE, -SLACK)] {
            let time = read_at_the_beginning();
            let now = EPOCH + SECOND;
            assert_eq!(time.learn_at(SECOND, now - behind), now);
            let now = now + SECOND - behind - more;
            assert_eq!(time.learn_at(2 * SECOND, now), now);
            let now = now + SECOND;
            assert_eq!(time.learn_at(3 * SECOND, now), now);
        }
        // Two that disagree are not believed, and a third that agrees with the second is.
        let time = read_at_the_beginning();
        let now = |here| EPOCH + here;
        assert_eq!(time.learn_at(SECOND, now(SECOND) - DAY), now(SECOND));
        assert_eq!(
            time.learn_at(2 * SECOND, now(2 * SECOND) - MINUTE),
            now(2 * SECOND)
        );
        let third = now(3 * SECOND) - MINUTE;
        assert_eq!(time.learn_at(3 * SECOND, third), third);
    }

    #[test]
    fn a_reading_that_is_later_or_little_earlier_is_believed_at_once() {
        for change in [-SLACK, 0, SLACK, DAY] {
            let time = read_at_the_beginning();
            let now = EPOCH + SECOND + change;
            assert_eq!(time.learn_at(SECOND, now), now);
        }
    }

    #[test]
    fn after_a_reading_that_was_too_late_the_next_one_is_believed() {
        let time = read_at_the_beginning();
        time.learn_at(SECOND, EPOCH + SECOND + DAY);
        let now = EPOCH + 2 * SECOND;
        assert_eq!(time.learn_at(2 * SECOND, now), now);
    }
}
