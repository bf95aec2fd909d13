//! Flips bits of passing bytes.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

/// The rate of damaged bytes.
///
/// The name distinguishes two calls with the same rate, so that each starts from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    seed: u64,
    one_in: NonZeroU32,
    name: u64,
}

/// The flips of one connection, which depend only on the seed and the position.
///
/// The pieces in which bytes arrive make no difference.
#[derive(Debug)]
pub(super) struct BitFlipper {
    damage: Damage,
    random: Rng,
}

impl Damage {
    pub(super) fn new(seed: u64, one_in: NonZeroU32) -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        Self { seed, one_in, name }
    }

    /// Returns the flips of connection `number`, and keeps the current ones if they fit.
    pub(super) fn flipper(self, number: u64, at_work: Option<BitFlipper>) -> BitFlipper {
        at_work.filter(|it| it.damage == self).unwrap_or_else(|| {
            // Without this, consecutive seeds would give similar sequences.
            let mut stirred = Rng::with_seed(self.seed);
            let seed = stirred.u64(..) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            BitFlipper {
                damage: self,
                random: Rng::with_seed(seed),
            }
        })
    }
}

impl BitFlipper {
    /// Flips bits, and returns in how many bytes.
    pub(super) fn spoil(&mut self, bytes: &mut [u8]) -> u64 {
        let mut spoilt = 0;
        for byte in bytes {
            if self.random.u32(..self.damage.one_in.get()) == 0 {
                *byte ^= 1 << self.random.u8(..8);
                spoilt += 1;
            }
        }
        spoilt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(seed: u64, number: u64, pieces: usize) -> Vec<u8> {
        let damage = Damage::new(seed, NonZeroU32::new(10).expect("ten"));
        let mut flipper = damage.flipper(number, None);
        let mut bytes = vec![0; 1_000];
        bytes.chunks_mut(pieces).for_each(|piece| {
            flipper.spoil(piece);
        });
        bytes
    }

    #[test]
    fn the_same_bytes_are_damaged_whatever_the_pieces() {
        assert_eq!(spoilt(7, 1, 1), spoilt(7, 1, 300));
        assert_ne!(spoilt(7, 1, 1), spoilt(8, 1, 1));
        assert_ne!(spoilt(7, 1, 1), spoilt(7, 2, 1));
    }

    #[test]
    fn one_byte_in_ten_is_damaged_in_one_bit() {
        let bytes = spoilt(7, 1, 64);
        let damaged = bytes.iter().filter(|&&byte| byte != 0).count();
        assert!((60..140).contains(&damaged), "{damaged} of 1,000");
        assert!(bytes.iter().all(|byte| byte.count_ones() <= 1));
    }
}
