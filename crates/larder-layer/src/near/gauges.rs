use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;

use crate::SharedGauges;

/// The gauges of a near cache. Several caches may share them: each adds its own part.
pub(super) struct Gauges {
    /// The entries, and their weight.
    shared: SharedGauges<2>,
    changes: AtomicUsize,
    /// Counting entries takes a lock for each shard, of which there are four per core.
    every: usize,
}

impl Gauges {
    pub(super) fn new(entries: Gauge, weight: Gauge) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            shared: SharedGauges::new([entries, weight]),
            changes: AtomicUsize::new(0),
            every: cores.div_ceil(2),
        }
    }

    /// Records a change, and shows the result of `size`, at each change or at one of a few.
    pub(super) fn changed(&self, size: impl FnOnce() -> (u64, u64)) {
        let change = self.changes.fetch_add(1, Ordering::Relaxed);
        if change.is_multiple_of(self.every) {
            self.show(size);
        }
    }

    pub(super) fn show(&self, size: impl FnOnce() -> (u64, u64)) {
        self.shared.show(|| {
            let (entries, weight) = size();
            [entries as f64, weight as f64]
        });
    }
}
