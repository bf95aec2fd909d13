use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;
use parking_lot::Mutex;

/// The gauges of a near cache. Several caches may share them: each adds its own part.
pub(super) struct Gauges {
    entries: Gauge,
    weight: Gauge,
    /// The contribution of this cache to the gauges.
    shown: Mutex<(u64, u64)>,
    changes: AtomicUsize,
    /// Counting entries takes a lock for each shard, of which there are four per core.
    every: usize,
}

impl Gauges {
    pub(super) fn new(entries: Gauge, weight: Gauge) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            entries,
            weight,
            shown: Mutex::default(),
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
        let mut shown = self.shown.lock();
        let size = size();
        self.entries.increment(size.0 as f64 - shown.0 as f64);
        self.weight.increment(size.1 as f64 - shown.1 as f64);
        *shown = size;
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        self.show(|| (0, 0));
    }
}
