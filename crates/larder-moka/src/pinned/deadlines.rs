use larder_store::Timestamp;

/// Slots ordered by when they have to be looked at: a binary heap in which every slot stands
/// exactly once, and knows where.
///
/// So it is as long as there are slots, whatever is written, shortened or removed, and needs no
/// compaction. Slots are dense: a new one takes the next number, and when one is removed the last
/// takes its number, as in [`Vec::swap_remove`]. All changes are O(log n), the first slot is O(1).
#[derive(Default)]
pub(super) struct Deadlines {
    heap: Vec<Node>,
    /// Where each slot stands in the heap.
    places: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Node {
    at: Timestamp,
    slot: usize,
}

impl Deadlines {
    /// The slot that comes first, and its moment.
    pub(super) fn first(&self) -> Option<(Timestamp, usize)> {
        self.heap.first().map(|node| (node.at, node.slot))
    }

    /// The moment of `slot`.
    pub(super) fn at(&self, slot: usize) -> Timestamp {
        self.heap[self.places[slot]].at
    }

    /// Adds the next slot.
    pub(super) fn push(&mut self, at: Timestamp) {
        let (place, slot) = (self.heap.len(), self.places.len());
        self.heap.push(Node { at, slot });
        self.places.push(place);
        self.rise(place);
    }

    /// Moves `slot` to another moment.
    pub(super) fn set(&mut self, slot: usize, at: Timestamp) {
        let place = self.places[slot];
        self.heap[place].at = at;
        self.order(place);
    }

    /// Removes `slot`, whose number the last slot takes.
    pub(super) fn swap_remove(&mut self, slot: usize) {
        let place = self.places[slot];
        self.heap.swap_remove(place);
        if let Some(moved) = self.heap.get(place) {
            self.places[moved.slot] = place;
            self.order(place);
        }
        self.places.swap_remove(slot);
        if let Some(&place) = self.places.get(slot) {
            self.heap[place].slot = slot;
        }
    }

    fn order(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].at <= self.heap[place].at {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut first = place;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child].at < self.heap[first].at {
                    first = child;
                }
            }
            if first == place {
                break;
            }
            self.swap(place, first);
            place = first;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].slot] = one;
        self.places[self.heap[other].slot] = other;
    }
}

#[cfg(test)]
impl Deadlines {
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.heap.len(), self.places.len());
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
