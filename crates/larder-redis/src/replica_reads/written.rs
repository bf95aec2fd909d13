use std::sync::atomic::{AtomicU64, Ordering};

/// The number of cells, which take 32 KiB. A write to one key of a cell counts for all its keys.
const CELLS: usize = 4096;

/// The ends of this store's last writes, by slot.
pub(super) struct Written(Box<[AtomicU64]>);

impl Written {
    pub(super) fn new() -> Self {
        Self((0..CELLS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Records that a write to a key of `slot` ends by `until`.
    pub(super) fn note(&self, slot: u16, until: u64) {
        if let Some(cell) = self.cell(slot) {
            cell.fetch_max(until, Ordering::Relaxed);
        }
    }

    /// Returns when the last write to a key of `slot` ended, or will end. A caller that knows of a write
    /// sees it here.
    pub(super) fn until(&self, slot: u16) -> u64 {
        self.cell(slot)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    fn cell(&self, slot: u16) -> Option<&AtomicU64> {
        self.0.get(usize::from(slot) % CELLS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_write_counts_whatever_the_order() {
        let written = Written::new();
        assert_eq!(written.until(7), 0);
        written.note(7, 20);
        written.note(7, 10);
        assert_eq!((written.until(7), written.until(8)), (20, 0));
    }

    #[test]
    fn every_slot_has_a_cell() {
        let written = Written::new();
        for slot in [0, 4_095, 4_096, 16_383, u16::MAX] {
            written.note(slot, u64::from(slot) + 1);
            assert!(written.until(slot) > u64::from(slot));
        }
    }
}
