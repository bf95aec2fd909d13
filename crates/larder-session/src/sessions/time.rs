//! What time it is for the store, without asking it each time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use larder_store::Programs;

/// For how long an answer of the store tells its time, in microseconds: a second.
const FRESH: i64 = 1_000_000;

/// What the store's clock shows, told by how far it was from this process's when it was last asked.
///
/// It decides only whether the idle deadline is due to be slid, and whether the grace of an id that was
/// replaced is over. Whether a session has ended is the store's own to say.
pub(super) struct StoreTime {
    began: Instant,
    /// What is added to the microseconds since then.
    offset: AtomicI64,
    /// Until when that counts, in the same microseconds; 0 where nothing is known.
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

    /// The time, in microseconds; nothing where the store is to be asked. Of many who come when it is
    /// to be asked again one is told so, and the others are told what was known.
    pub(super) fn now(&self, programs: &dyn Programs) -> Option<i64> {
        if let Some(now) = programs.now() {
            return Some(now.as_micros());
        }
        let (here, until) = (self.here(), self.until.load(Ordering::Acquire));
        let is_known = until > 0 && (here < until || !self.put_off(until, here + FRESH));
        is_known.then(|| here + self.offset.load(Ordering::Relaxed))
    }

    /// The store has said that it is `now`.
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
        // No process runs for 2^63 microseconds.
        i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}
