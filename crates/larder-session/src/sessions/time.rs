//! The store's time, without reading it from the store each time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use larder_store::program::Programs;

/// How long a reading of the store's time is used, in microseconds: a second.
const FRESH: i64 = 1_000_000;

/// The store's clock, as an offset to this process's clock when the store was last read.
///
/// It decides whether to extend the idle deadline, whether a renewal is due, whether a grace is over, and how old a
/// sign-in is. The store itself decides whether a session has ended.
pub(super) struct StoreTime {
    began: Instant,
    /// What to add to the microseconds since `began`.
    offset: AtomicI64,
    /// The end of the offset's use, in the same microseconds; 0 if it is unknown.
    until: AtomicI64,
}

impl StoreTime {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            offset: AtomicI64::new(0),
            until: AtomicI64::new(0),
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

    /// Notes that the store's time is `now`.
    pub(super) fn learn(&self, now: i64) {
        let here = self.here();
        self.offset.store(now - here, Ordering::Relaxed);
        self.until.store(here + FRESH, Ordering::Release);
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
