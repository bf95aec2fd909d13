use std::collections::VecDeque;

/// The maximum number of keys that are remembered.
const MAX: usize = 64;

/// The keys of a stripe that were last removed because they no longer exist elsewhere.
///
/// A stripe has many keys. That one of them is gone says nothing about the others.
#[derive(Default)]
pub(super) struct Drops {
    count: u64,
    /// The hashes of the last of them.
    last: VecDeque<u64>,
}

impl Drops {
    /// Returns how many there were so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, hash: u64) {
        if self.last.len() == MAX {
            self.last.pop_front();
        }
        self.last.push_back(hash);
        self.count = self.count.wrapping_add(1);
    }

    /// Returns whether a key with this hash is among those since `earlier`, or may be.
    pub(super) fn has(&self, hash: u64, earlier: u64) -> bool {
        let since = usize::try_from(self.count.wrapping_sub(earlier)).unwrap_or(usize::MAX);
        let mut last = self.last.iter().rev().take(since);
        since > self.last.len() || last.any(|dropped| *dropped == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_among_the_last_and_suspected_among_those_that_are_forgotten() {
        let mut drops = Drops::default();
        drops.add(7);
        let earlier = drops.count();
        assert!(drops.has(7, 0) && !drops.has(8, 0) && !drops.has(7, earlier));
        for hash in 0..MAX as u64 {
            drops.add(100 + hash);
        }
        assert!(drops.has(100, earlier) && !drops.has(7, earlier));
        drops.add(200);
        assert!(drops.has(7, earlier), "one of them is forgotten");
        assert!(!drops.has(7, drops.count()));
        assert_eq!(drops.last.len(), MAX);
    }
}
