use std::sync::atomic::{AtomicI64, Ordering};

use larder_store::Timestamp;
use parking_lot::{Mutex, MutexGuard};

/// The moment before which nothing of a kind expires.
///
/// It lets a full kind refuse a flood without checking its shards each time. Writers lower it under the
/// lock of their shard. A sweep first takes the lowered value, and then locks each shard: it either sees
/// a write in its shard, or the write lowers the moment afterwards.
pub(super) struct EarliestDeadline {
    lowered: AtomicI64,
    /// The result of the last sweep. Its lock lets one sweep run at a time.
    swept: Mutex<Timestamp>,
}

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MIN);

impl EarliestDeadline {
    pub(super) fn new() -> Self {
        Self {
            lowered: AtomicI64::new(i64::MAX),
            swept: Mutex::new(NEVER),
        }
    }

    /// Records that something expires at `deadline`.
    pub(super) fn lower(&self, deadline: Timestamp) {
        let micros = deadline.as_micros();
        // Most deadlines are later than the recorded one, and only read it.
        if micros < self.lowered.load(Ordering::Acquire) {
            self.lowered.fetch_min(micros, Ordering::AcqRel);
        }
    }

    /// Waits until no other sweep runs.
    pub(super) fn lock(&self) -> Sweep<'_> {
        Sweep {
            earliest: self,
            swept: self.swept.lock(),
        }
    }
}

/// The right to sweep a kind.
pub(super) struct Sweep<'a> {
    earliest: &'a EarliestDeadline,
    swept: MutexGuard<'a, Timestamp>,
}

impl Sweep<'_> {
    /// Returns whether anything may have expired by `now`.
    pub(super) fn may_find(&self, now: Timestamp) -> bool {
        let lowered = self.earliest.lowered.load(Ordering::Acquire);
        (*self.swept).min(Timestamp::from_micros(lowered)) <= now
    }

    /// Starts a sweep. If it is not finished, the next one starts again.
    pub(super) fn begin(&mut self) {
        *self.swept = ALWAYS;
        self.earliest.lowered.swap(i64::MAX, Ordering::AcqRel);
    }

    /// Ends a sweep of every shard that found nothing to expire before `earliest`.
    pub(super) fn finish(mut self, earliest: Option<Timestamp>) {
        *self.swept = earliest.unwrap_or(NEVER);
    }
}
