//! The generation of all users' sessions, without reading it from the store each time.

use std::sync::atomic::{AtomicI64, Ordering};

use larder_store::Result;
use larder_store::program::Wire;

/// The time after which one caller reads the store again, in microseconds: a second.
const FRESH: i64 = 1_000_000;
/// The time after which every caller reads it, because earlier reads failed: five seconds.
const MAX_AGE: i64 = 5_000_000;

/// The last known generation of all users' sessions. Times are microseconds by the store's clock.
#[derive(Default)]
pub(super) struct Everyone {
    generation: AtomicI64,
    /// When one caller reads it again.
    until: AtomicI64,
    /// When the generation was learned; 0 if it never was.
    learned: AtomicI64,
}

impl Everyone {
    /// Returns the generation. None if the caller must read it from the store.
    ///
    /// When it is time to read it again, one caller gets None; the others get the known one.
    pub(super) fn known(&self, now: i64) -> Option<i64> {
        let learned = self.learned.load(Ordering::Acquire);
        let is_known = learned > 0 && (learned..learned + MAX_AGE).contains(&now);
        let until = self.until.load(Ordering::Relaxed);
        let is_due = now >= until && self.put_off(until, now + FRESH);
        (is_known && !is_due).then(|| self.generation.load(Ordering::Relaxed))
    }

    /// Returns the highest that this process knows, for [`note`](Self::note) if the store is read next.
    pub(super) fn highest(&self) -> i64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Records that the store answered `generation` at `now`, and returns the one that applies.
    pub(super) fn learn(&self, generation: i64, before: i64, now: i64) -> i64 {
        self.note(generation, before);
        self.until.store(now + FRESH, Ordering::Relaxed);
        // For a clock at its very start, one microsecond later is close enough.
        self.learned.store(now.max(1), Ordering::Release);
        self.highest()
    }

    /// Records the store's answer to a read that began when `before` was known.
    ///
    /// The highest applies, unless the store answers less than was known: it has lost that, and later sign-ins get
    /// its present answer.
    pub(super) fn note(&self, generation: i64, before: i64) {
        let (set, read) = (Ordering::AcqRel, Ordering::Acquire);
        if generation >= before {
            self.generation.fetch_max(generation, set);
            return;
        }
        // A value that was recorded in the meantime is newer, and stays.
        let _ = self
            .generation
            .compare_exchange(before, generation, set, read);
    }

    /// Returns the generation that the store answered. If it is unreadable, every caller must read it from now on.
    ///
    /// # Errors
    /// If it is unreadable.
    pub(super) fn readable(&self, generation: Option<i64>) -> Result<i64> {
        generation.ok_or_else(|| {
            self.forget();
            Wire::unexpected(
                "the time at which the sessions of all users ended: call revoke_everyone again",
            )
        })
    }

    /// Records a generation that this process has made.
    pub(super) fn raise(&self, generation: i64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// Makes every caller read the store, until one has learned the generation.
    pub(super) fn forget(&self) {
        self.learned.store(0, Ordering::Release);
    }

    fn put_off(&self, until: i64, next: i64) -> bool {
        self.until
            .compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_asks_after_a_second_and_every_caller_after_five() {
        let (everyone, start) = (Everyone::default(), 10_000_000);
        assert_eq!(everyone.known(start), None);
        assert_eq!(everyone.learn(7, 0, start), 7);
        assert_eq!(everyone.known(start + FRESH - 1), Some(7));
        assert_eq!(everyone.known(start + FRESH), None);
        assert_eq!(everyone.known(start + FRESH), Some(7));
        assert_eq!(everyone.known(start + 3 * FRESH), None);
        assert_eq!(everyone.known(start + MAX_AGE), None);
        assert_eq!(everyone.known(start + MAX_AGE), None);
        // An earlier answer no longer counts, and a clock that went back must not make it trusted.
        assert_eq!(everyone.learn(5, 3, start + MAX_AGE), 7);
        assert_eq!(everyone.known(start), None);
        // A record that the store has lost is forgotten, unless it was recreated in the meantime.
        assert_eq!(everyone.learn(5, 7, start + MAX_AGE), 5);
        everyone.raise(9);
        assert_eq!(everyone.learn(3, 5, start + MAX_AGE), 9);
    }

    #[test]
    fn what_was_forgotten_is_asked_for_at_once() {
        let (everyone, start) = (Everyone::default(), 10_000_000);
        assert_eq!(everyone.learn(7, 0, start), 7);
        everyone.forget();
        assert_eq!(everyone.known(start + 1), None);
        assert_eq!(everyone.known(start + 1), None);
        assert_eq!(everyone.learn(8, 7, start + 2), 8);
        assert_eq!(everyone.known(start + 3), Some(8));
    }
}
