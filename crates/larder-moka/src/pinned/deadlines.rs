use larder_store::Timestamp;

/// Orders slots by the moment at which they must be checked.
///
/// It is a binary heap in which each slot occurs once, with an index of the slots. Its length is the
/// number of slots, whatever is written, shortened or removed, so it needs no compaction. Slots are
/// dense: a new slot takes the next number, and when one is removed the last takes its number, as in
/// [`Vec::swap_remove`]. A change is O(log n), and reading the first slot O(1).
#[derive(Default)]
pub(super) struct Deadlines {
    heap: Vec<Node>,
    /// The position of each slot in the heap.
    positions: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Node {
    at: Timestamp,
    slot: usize,
}

impl Deadlines {
    /// Returns the earliest moment, and its slot.
    pub(super) fn first(&self) -> Option<(Timestamp, usize)> {
        self.heap.first().map(|node| (node.at, node.slot))
    }

    /// Returns the moment of `slot`.
    pub(super) fn at(&self, slot: usize) -> Timestamp {
        self.heap[self.positions[slot]].at
    }

    /// Adds the next slot.
    pub(super) fn push(&mut self, at: Timestamp) {
        let (position, slot) = (self.heap.len(), self.positions.len());
        self.heap.push(Node { at, slot });
        self.positions.push(position);
        self.rise(position);
    }

    /// Moves `slot` to another moment.
    pub(super) fn set(&mut self, slot: usize, at: Timestamp) {
        let position = self.positions[slot];
        self.heap[position].at = at;
        self.order(position);
    }

    /// Removes `slot`. The last slot takes its number.
    pub(super) fn swap_remove(&mut self, slot: usize) {
        let position = self.positions[slot];
        self.heap.swap_remove(position);
        if let Some(moved) = self.heap.get(position) {
            self.positions[moved.slot] = position;
            self.order(position);
        }
        self.positions.swap_remove(slot);
        if let Some(&position) = self.positions.get(slot) {
            self.heap[position].slot = slot;
        }
    }

    fn order(&mut self, position: usize) {
        let position = self.rise(position);
        self.sink(position);
    }

    fn rise(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.heap[parent].at <= self.heap[position].at {
                break;
            }
            self.swap(position, parent);
            position = parent;
        }
        position
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let (left, right) = (2 * position + 1, 2 * position + 2);
            let mut first = position;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child].at < self.heap[first].at {
                    first = child;
                }
            }
            if first == position {
                break;
            }
            self.swap(position, first);
            position = first;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.positions[self.heap[one].slot] = one;
        self.positions[self.heap[other].slot] = other;
    }
}

#[cfg(test)]
impl Deadlines {
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.heap.len(), self.positions.len());
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros as i64)
    }

    #[test]
    fn the_first_slot_is_the_earliest_after_any_changes() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (mut deadlines, mut model) = (Deadlines::default(), Vec::new());
            for _ in 0..300 {
                let at = moment(random.u64(0..50));
                match random.u8(0..4) {
                    0 | 1 => {
                        deadlines.push(at);
                        model.push(at);
                    }
                    2 if !model.is_empty() => {
                        let slot = random.usize(0..model.len());
                        deadlines.set(slot, at);
                        model[slot] = at;
                    }
                    3 if !model.is_empty() => {
                        let slot = random.usize(0..model.len());
                        deadlines.swap_remove(slot);
                        model.swap_remove(slot);
                    }
                    _ => {}
                }
                let first = deadlines.first();
                assert_eq!(first.map(|(at, _)| at), model.iter().min().copied());
                assert!(first.is_none_or(|(at, slot)| model[slot] == at));
                assert_eq!(deadlines.len(), model.len());
                assert!((0..model.len()).all(|slot| deadlines.at(slot) == model[slot]));
            }
        }
    }
}
