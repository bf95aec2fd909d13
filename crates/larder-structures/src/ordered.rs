//! A sorted list that knows the position of each item: positions and ranges in O(log n).

/// The maximum number of items in a chunk. A larger chunk is split in two.
const CHUNK: usize = 512;

/// Distinct items in order, in chunks whose sizes are summed in a Fenwick tree.
///
/// Finding an item, its position, or the item at a position takes O(log n). An insertion moves at most a
/// chunk, and splitting a chunk moves one pointer for each chunk, once in some 256 insertions.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    /// None of them is empty.
    chunks: Vec<Vec<T>>,
    /// A Fenwick tree over the lengths of the chunks.
    sums: Vec<usize>,
    len: usize,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            sums: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Ord> Ordered<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns how many items are before the first for which `is_before` is false.
    pub(crate) fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let (chunk, offset) = self.place(is_before);
        self.before(chunk) + offset
    }

    /// Adds an item. Returns false, and changes nothing, if it is already there.
    pub(crate) fn insert(&mut self, item: T) -> bool {
        let (chunk, offset) = self.place(|held| *held < item);
        let chunk = chunk.min(self.chunks.len().saturating_sub(1));
        let Some(items) = self.chunks.get_mut(chunk) else {
            self.chunks.push(vec![item]);
            self.len = 1;
            self.sum();
            return true;
        };
        // A place past all chunks is the end of the last one.
        let offset = match items.last() {
            Some(last) if *last < item => items.len(),
            _ => offset,
        };
        if items.get(offset).is_some_and(|held| *held == item) {
            return false;
        }
        items.insert(offset, item);
        self.len += 1;
        if items.len() > CHUNK {
            let rest = items.split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, rest);
            self.sum();
        } else {
            self.count(chunk, 1);
        }
        true
    }

    /// Removes an item. Returns false if it is not there.
    pub(crate) fn remove(&mut self, item: &T) -> bool {
        let (chunk, offset) = self.place(|held| held < item);
        let Some(items) = self.chunks.get_mut(chunk) else {
            return false;
        };
        if items.get(offset) != Some(item) {
            return false;
        }
        items.remove(offset);
        self.len -= 1;
        if items.is_empty() {
            self.chunks.remove(chunk);
            self.sum();
        } else {
            self.count(chunk, -1);
        }
        true
    }

    /// Returns the item at a position.
    pub(crate) fn get(&self, position: usize) -> Option<&T> {
        self.iter_from(position).next()
    }

    /// Returns the items from a position on, in order.
    pub(crate) fn iter_from(&self, position: usize) -> impl Iterator<Item = &T> {
        let (chunk, offset) = self.find(position);
        let first = self.chunks.get(chunk).and_then(|items| items.get(offset..));
        let rest = self.chunks.get(chunk + 1..).unwrap_or_default();
        first
            .unwrap_or_default()
            .iter()
            .chain(rest.iter().flatten())
    }

    /// Returns the last item.
    pub(crate) fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    fn place(&self, is_before: impl Fn(&T) -> bool) -> (usize, usize) {
        let is_whole = |items: &Vec<T>| items.last().is_some_and(&is_before);
        let chunk = self.chunks.partition_point(is_whole);
        let offset = match self.chunks.get(chunk) {
            Some(items) => items.partition_point(is_before),
            None => 0,
        };
        (chunk, offset)
    }

    /// Returns how many items the chunks before this one have.
    fn before(&self, chunk: usize) -> usize {
        let (mut at, mut sum) = (chunk, 0);
        while at > 0 {
            sum += self.sums[at - 1];
            at &= at - 1;
        }
        sum
    }

    /// Returns the chunk with a position, and the position in it.
    fn find(&self, position: usize) -> (usize, usize) {
        let (mut chunk, mut rest) = (0, position);
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            let next = chunk + step;
            if next <= self.sums.len() && self.sums[next - 1] <= rest {
                chunk = next;
                rest -= self.sums[next - 1];
            }
            step /= 2;
        }
        (chunk, rest)
    }

    fn count(&mut self, chunk: usize, by: isize) {
        let mut at = chunk + 1;
        while at <= self.sums.len() {
            self.sums[at - 1] = self.sums[at - 1].wrapping_add_signed(by);
            at += at & at.wrapping_neg();
        }
    }

    fn sum(&mut self) {
        self.sums.clear();
        self.sums.extend(self.chunks.iter().map(Vec::len));
        for at in 1..=self.sums.len() {
            let parent = at + (at & at.wrapping_neg());
            if parent <= self.sums.len() {
                self.sums[parent - 1] += self.sums[at - 1];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fastrand::Rng;

    use super::*;

    #[test]
    fn it_is_a_sorted_set_with_positions() {
        for (seed, range) in [(1, 40), (2, 2_000), (3, 100_000)] {
            let mut rng = Rng::with_seed(seed);
            let (mut list, mut model) = (Ordered::default(), BTreeSet::new());
            for step in 0..20_000 {
                let item = rng.u32(..range);
                // It grows, shrinks to nothing, and grows again.
                if rng.u8(..10) < if step / 5_000 % 2 == 0 { 7 } else { 2 } {
                    assert_eq!(list.insert(item), model.insert(item));
                } else {
                    assert_eq!(list.remove(&item), model.remove(&item));
                }
                assert_eq!(list.len(), model.len());
                if step % 97 == 0 {
                    let before = model.range(..item).count();
                    assert_eq!(list.partition_point(|held| *held < item), before);
                    assert_eq!(list.get(before), model.range(item..).next());
                    let near: Vec<_> = list.iter_from(before).take(700).collect();
                    let expected: Vec<_> = model.range(item..).take(700).collect();
                    assert_eq!(near, expected);
                    assert_eq!(list.last(), model.last());
                    assert_eq!(list.get(model.len()), None);
                }
            }
        }
    }
}
