use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The number of copies of each counter, so that threads with hits at the same time do not contend
/// for a cache line.
const STRIPES: usize = 16;

/// Counts of a cache in this process since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads that the near tier answered.
    pub near_hits: u64,
    /// Reads that the far store answered.
    pub far_hits: u64,
    /// Reads that neither tier answered.
    pub misses: u64,
    /// Values that were loaded.
    pub loads: u64,
    /// Loads that ended in an error, a panic or a timeout.
    pub failed_loads: u64,
    /// Reads that were answered with a value that was no longer fresh.
    pub stale: u64,
    /// Near copies, including those whose deadline has passed.
    pub near_entries: u64,
    /// The weight of all near copies: their number, if the near tier is bounded by entries.
    pub near_weight: u64,
    /// Loads that are running, including the far reads before them.
    pub loads_in_flight: u64,
    /// Invalidations that the far store has not confirmed yet.
    pub invalidations_pending: u64,
}

impl Stats {
    /// Returns the share of reads that a tier answered, from 0 to 1, or None before the first read.
    pub fn hit_ratio(&self) -> Option<f64> {
        let hits = self.near_hits + self.far_hits;
        let reads = hits + self.misses;
        (reads > 0).then(|| hits as f64 / reads as f64)
    }
}

/// A counter that many threads increment at once.
#[derive(Default)]
pub(crate) struct Striped([Line; STRIPES]);

/// Two cache lines, because processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Striped {
    pub(crate) fn add_one(&self) {
        self.0[stripe()].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> u64 {
        let counts = self.0.iter().map(|line| line.0.load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
    }
}

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let known = STRIPE.get();
    if known != usize::MAX {
        return known;
    }
    let stripe = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    STRIPE.set(stripe);
    stripe
}
