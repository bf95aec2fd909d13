//! A Bloom filter in one string: a header, and the bits behind it.

use std::f64::consts::LN_2;

use xxhash_rust::xxh3::xxh3_128;

/// The length of the header. The first bit of the filter follows it.
pub(super) const HEADER: usize = 48;

/// The maximum number of bits: 16 MiB of them, for some 14 million members at an error of 1 %.
pub(super) const MAX_BITS: u64 = 1 << 27;

/// The parameters of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) bits: u64,
    pub(super) hashes: u32,
    pub(super) capacity: u64,
}

impl Shape {
    /// Returns the shape for this many members and an error between 0 and 1. None if it would have too
    /// many bits.
    pub(super) fn new(capacity: u64, error: f64) -> Option<Self> {
        if capacity == 0 || !(error > 0.0 && error < 1.0) {
            return None;
        }
        let members = capacity as f64;
        let bits = (-members * error.ln() / (LN_2 * LN_2)).ceil();
        if bits > MAX_BITS as f64 {
            return None;
        }
        let bits = (bits as u64).max(64);
        let hashes = (bits as f64 / members * LN_2).round().clamp(1.0, 32.0);
        Some(Self {
            bits,
            hashes: hashes as u32,
            capacity,
        })
    }

    /// Returns the header in front of the bits. It distinguishes filters of different shapes.
    pub(super) fn header(self) -> [u8; HEADER] {
        let text = format!(
            "larder bloom 1 m={:09} k={:02} n={:09}",
            self.bits, self.hashes, self.capacity
        );
        let mut header = [b' '; HEADER];
        let length = text.len().min(HEADER - 1);
        header[..length].copy_from_slice(&text.as_bytes()[..length]);
        header[HEADER - 1] = b'\n';
        header
    }

    /// Returns the bits of an element in the string, counted from its beginning, the highest of a byte
    /// first.
    pub(super) fn positions(self, element: &[u8]) -> impl Iterator<Item = u64> {
        let hash = xxh3_128(element);
        // Double hashing after Kirsch and Mitzenmacher.
        let (first, step) = (hash as u64, (hash >> 64) as u64 | 1);
        let position = move |n: u32| first.wrapping_add(step.wrapping_mul(n.into())) % self.bits;
        (0..self.hashes).map(move |n| HEADER as u64 * 8 + position(n))
    }

    /// Estimates the number of members of a filter with this many set bits.
    pub(super) fn estimate(self, set: u64) -> u64 {
        let bits = self.bits as f64;
        let free = (1.0 - set.min(self.bits - 1) as f64 / bits).ln();
        (-bits / f64::from(self.hashes) * free).round() as u64
    }
}

/// Sets a bit of a string as `SETBIT` does, and returns whether it was set.
pub(super) fn set(string: &mut Vec<u8>, position: u64) -> bool {
    let (at, bit) = place(position);
    if string.len() <= at {
        string.resize(at + 1, 0);
    }
    let was_set = string[at] & bit != 0;
    string[at] |= bit;
    was_set
}

/// Returns whether a bit of a string is set, as `GETBIT` does.
pub(super) fn get(string: &[u8], position: u64) -> bool {
    let (at, bit) = place(position);
    string.get(at).is_some_and(|byte| byte & bit != 0)
}

fn place(position: u64) -> (usize, u8) {
    ((position / 8) as usize, 0x80 >> (position % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_what_the_formula_says() {
        let shape = Shape::new(100_000, 0.01).unwrap();
        assert_eq!((shape.bits, shape.hashes), (958_506, 7));
        assert_eq!(
            &shape.header()[..],
            b"larder bloom 1 m=000958506 k=07 n=000100000    \n"
        );
        assert_eq!(Shape::new(1, 0.5).unwrap().bits, 64);
        for (capacity, error) in [
            (0, 0.01),
            (1, 0.0),
            (1, 1.0),
            (1, f64::NAN),
            (u64::MAX, 0.01),
        ] {
            assert_eq!(Shape::new(capacity, error), None, "{capacity} {error}");
        }
    }

    #[test]
    fn a_position_never_changes_as_filters_outlive_processes() {
        let shape = Shape::new(100_000, 0.01).unwrap();
        let positions: Vec<_> = shape.positions(b"ada").collect();
        assert_eq!(positions.len(), 7);
        assert!(positions.iter().all(|it| (384..384 + 958_506).contains(it)));
        assert_eq!(positions, FIXED);
    }

    const FIXED: [u64; 7] = [
        700_173, 396_282, 886_025, 417_262, 113_371, 603_114, 299_223,
    ];
}
