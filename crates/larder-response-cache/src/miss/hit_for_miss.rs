use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_store::Timestamp;

const SLOTS: usize = 8192;

/// Which URIs are known not to be worth waiting for, for a while: hit-for-miss.
///
/// It is a table of a fixed size. Two URIs that fall into one slot take it from each other, which
/// costs one round of waiting at most.
pub(crate) struct HitForMiss {
    /// Half of the hash, and the second at which the mark ends.
    slots: Box<[AtomicU64]>,
    keep: Duration,
}

impl HitForMiss {
    pub(crate) fn new(keep: Duration) -> Self {
        let slots = std::iter::repeat_with(|| AtomicU64::new(0));
        Self {
            slots: slots.take(SLOTS).collect(),
            keep,
        }
    }

    pub(crate) fn mark(&self, hash: u64, now: Timestamp) {
        let end = seconds(now).saturating_add(self.keep.as_secs());
        let mark = (hash >> 32 << 32) | end.min(0xFFFF_FFFF);
        self.slots[hash as usize % SLOTS].store(mark, Ordering::Relaxed);
    }

    pub(crate) fn is_marked(&self, hash: u64, now: Timestamp) -> bool {
        let mark = self.slots[hash as usize % SLOTS].load(Ordering::Relaxed);
        mark >> 32 == hash >> 32 && seconds(now) < mark & 0xFFFF_FFFF
    }

    pub(crate) fn clear(&self, hash: u64) {
        let slot = &self.slots[hash as usize % SLOTS];
        if slot.load(Ordering::Relaxed) >> 32 == hash >> 32 {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_ends_and_is_its_own() {
        let hit_for_miss = HitForMiss::new(Duration::from_secs(10));
        let (one, other) = (7_u64 << 32 | 5, 8_u64 << 32 | 5);
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        hit_for_miss.mark(one, at(100));
        assert!(hit_for_miss.is_marked(one, at(109)) && !hit_for_miss.is_marked(one, at(110)));
        assert!(!hit_for_miss.is_marked(other, at(100)));
        hit_for_miss.clear(other);
        assert!(hit_for_miss.is_marked(one, at(109)));
        hit_for_miss.clear(one);
        assert!(!hit_for_miss.is_marked(one, at(109)));
        let for_ever = HitForMiss::new(Duration::MAX);
        for_ever.mark(one, at(100));
        assert!(for_ever.is_marked(one, at(1_000_000_000)));
    }
}
