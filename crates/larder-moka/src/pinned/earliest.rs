use std::sync::atomic::{AtomicI64, Ordering};

use larder_store::Timestamp;
use parking_lot::{Mutex, MutexGuard};

/// A moment before which nothing of a kind ends, so that a full kind refuses a flood without
/// looking at its shards again and again.
///
/// Writers lower it under the lock of the shard they write to, before they give the lock back. Who
/// sweeps takes what they lowered first, and then the lock of each shard: a write is then either
/// seen in its shard, or lowers the moment afterwards.
pub(super) struct Earliest {
    lowered: AtomicI64,
    /// What the last sweep found. Its lock lets one sweep run at a time.
    swept: Mutex<Timestamp>,
}

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MIN);

impl Earliest {
    pub(super) fn new() -> Self {
        Self {
            lowered: AtomicI64::new(i64::MAX),
            swept: Mutex::new(NEVER),
        }
    }

    /// Notes that something ends at `deadline`.
    pub(super) fn lower(&self, deadline: Timestamp) {
        let micros = deadline.as_micros();
        // Most deadlines are later than one that is noted already: those only read.
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
    earliest: &'a Earliest,
    swept: MutexGuard<'a, Timestamp>,
}

impl Sweep<'_> {
    /// Whether anything may have ended by `now`.
    pub(super) fn may_find(&self, now: Timestamp) -> bool {
        let lowered = self.earliest.lowered.load(Ordering::Acquire);
        (*self.swept).min(Timestamp::from_micros(lowered)) <= now
    }

    /// Begins to look at every shard. A sweep that is not finished counts for nothing.
    pub(super) fn begin(&mut self) {
        *self.swept = ALWAYS;
        self.earliest.lowered.swap(i64::MAX, Ordering::AcqRel);
    }

    /// Ends a sweep that has looked at every shard, and found nothing that ends before `earliest`.
    pub(super) fn finish(mut self, earliest: Option<Timestamp>) {
        *self.swept = earliest.unwrap_or(NEVER);
    }
}
