use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use larder_store::Timestamp;

const SLOTS: usize = 8192;

/// Marks keys for a while.
///
/// It is a table of fixed size. Two keys of one slot displace each other, so a mark may be lost. A key
/// passes for a marked one by mistake once in four billion times.
pub(crate) struct Marks {
    /// Each holds half of a hash, and the second at which the mark ends.
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
    ttl: Duration,
}

impl Marks {
    /// Makes marks that last for `ttl`, which is in whole seconds, and up to a second longer. Zero marks nothing.
    pub(crate) fn new(ttl: Duration) -> Self {
        let slots = std::iter::repeat_with(|| AtomicU64::new(0));
        Self {
            slots: slots.take(SLOTS).collect(),
            hasher: RandomState::default(),
            ttl,
        }
    }

    pub(super) fn mark(&self, key: &[u8], now: Timestamp) {
        if self.ttl.is_zero() {
            return;
        }
        let (slot, hash) = self.slot(key);
        let end = seconds(now.plus_micros(999_999)).saturating_add(self.ttl.as_secs());
        slot.store(hash | end.min(0xFFFF_FFFF), Ordering::Relaxed);
    }

    pub(super) fn is_marked(&self, key: &[u8], now: Timestamp) -> bool {
        let (slot, hash) = self.slot(key);
        let mark = slot.load(Ordering::Relaxed);
        mark >> 32 == hash >> 32 && seconds(now) < mark & 0xFFFF_FFFF
    }

    pub(super) fn clear(&self, key: &[u8]) {
        let (slot, hash) = self.slot(key);
        if slot.load(Ordering::Relaxed) >> 32 == hash >> 32 {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Returns the slot of a key, and the upper half of its hash.
    fn slot(&self, key: &[u8]) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one(key);
        (&self.slots[hash as usize % SLOTS], hash >> 32 << 32)
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        at_millis(seconds * 1_000)
    }

    fn at_millis(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[test]
    fn a_mark_ends_and_counts_for_its_key_alone() {
        let marks = Marks::new(Duration::from_secs(10));
        let one = b"one".as_slice();
        let mut keys = (0..=u32::MAX).map(u32::to_le_bytes);
        let shares_slot = |key: &[u8; 4]| std::ptr::eq(marks.slot(key).0, marks.slot(one).0);
        let other = keys.find(shares_slot).unwrap();
        marks.mark(one, at(100));
        assert!(marks.is_marked(one, at(109)) && !marks.is_marked(one, at(110)));
        assert!(!marks.is_marked(&other, at(100)));
        marks.clear(&other);
        assert!(marks.is_marked(one, at(109)));
        marks.clear(one);
        assert!(!marks.is_marked(one, at(109)));
        for (from, ends) in [(100_000, 101_000), (100_001, 102_000), (100_999, 102_000)] {
            let marks = Marks::new(Duration::from_secs(1));
            marks.mark(one, at_millis(from));
            assert!(marks.is_marked(one, at_millis(ends - 1)), "{from}");
            assert!(!marks.is_marked(one, at_millis(ends)), "{from}");
        }
        let never = Marks::new(Duration::ZERO);
        never.mark(one, at_millis(100_999));
        assert!(!never.is_marked(one, at_millis(100_999)));
        let forever = Marks::new(Duration::MAX);
        forever.mark(one, at(100));
        assert!(forever.is_marked(one, at(1_000_000_000)));
    }
}
