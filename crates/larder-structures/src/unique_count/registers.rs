//! HyperLogLog as in Redis: the same hash, registers and estimator, so the same numbers.
//!
//! Heule, Nunkesser, Hall: HyperLogLog in practice (2013), for the registers; Ertl: New cardinality
//! estimation algorithms for HyperLogLog sketches (2017), for the estimator.

/// The number of bits of a hash that choose a register.
const P: u32 = 14;
/// The number of remaining bits.
const Q: u32 = 64 - P;
const REGISTERS: usize = 1 << P;
const SEED: u64 = 0xadc8_3b19;
/// 1 / (2 ln 2), as Redis writes it.
#[allow(clippy::excessive_precision, reason = "it is the constant of Redis")]
const ALPHA: f64 = 0.721_347_520_444_481_703_680;

/// From this many registers on, they are stored in full.
const DENSE_FROM: usize = 1_024;

/// The header of a sketch on Redis: a magic, an encoding, and a cached count.
const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const DENSE_BYTES: usize = HEADER + REGISTERS * 6 / 8;

/// The registers of a sketch; all are 0 at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registers {
    /// Those that are not 0, by their number.
    Sparse(Vec<(u16, u8)>),
    Dense(Box<[u8]>),
}

impl Default for Registers {
    fn default() -> Self {
        Self::Sparse(Vec::new())
    }
}

impl Registers {
    /// Adds an element, and returns whether a register changed.
    pub(crate) fn add(&mut self, element: &[u8]) -> bool {
        let hash = murmur(element);
        let register = (hash & (REGISTERS as u64 - 1)) as u16;
        let rest = (hash >> P) | (1 << Q);
        self.raise(register, rest.trailing_zeros() as u8 + 1)
    }

    /// Adds the elements of another sketch.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Sparse(registers) => {
                for &(register, value) in registers {
                    self.raise(register, value);
                }
            }
            Self::Dense(registers) => {
                for (register, &value) in (0..).zip(registers) {
                    self.raise(register, value);
                }
            }
        }
    }

    /// Estimates how many distinct elements were added.
    pub(crate) fn count(&self) -> u64 {
        let mut histogram = [0_u32; 64];
        match self {
            Self::Sparse(registers) => {
                histogram[0] = (REGISTERS - registers.len()) as u32;
                for (_, value) in registers {
                    histogram[usize::from(value & 63)] += 1;
                }
            }
            Self::Dense(registers) => {
                for value in registers {
                    histogram[usize::from(value & 63)] += 1;
                }
            }
        }
        let m = REGISTERS as f64;
        let mut z = m * tau((m - f64::from(histogram[Q as usize + 1])) / m);
        for count in histogram[1..=Q as usize].iter().rev() {
            z += f64::from(*count);
            z *= 0.5;
        }
        z += m * sigma(f64::from(histogram[0]) / m);
        (ALPHA * m * m / z).round() as u64
    }

    fn raise(&mut self, register: u16, value: u8) -> bool {
        let registers = match self {
            Self::Dense(registers) => {
                let held = &mut registers[usize::from(register)];
                let is_higher = value > *held;
                *held = value.max(*held);
                return is_higher;
            }
            Self::Sparse(registers) => registers,
        };
        if value == 0 {
            return false;
        }
        match registers.binary_search_by_key(&register, |held| held.0) {
            Ok(at) => {
                let is_higher = value > registers[at].1;
                registers[at].1 = value.max(registers[at].1);
                is_higher
            }
            Err(at) => {
                registers.insert(at, (register, value));
                if registers.len() >= DENSE_FROM {
                    *self = Self::Dense(self.all().into());
                }
                true
            }
        }
    }

    fn all(&self) -> Vec<u8> {
        match self {
            Self::Dense(registers) => registers.to_vec(),
            Self::Sparse(registers) => {
                let mut all = vec![0; REGISTERS];
                for &(register, value) in registers {
                    all[usize::from(register)] = value;
                }
                all
            }
        }
    }

    /// Reads a sketch in the format of Redis. None for other bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let body = bytes.get(HEADER..)?;
        if &header[..4] != MAGIC {
            return None;
        }
        let mut registers = Self::default();
        match header[4] {
            DENSE if bytes.len() == DENSE_BYTES => {
                for register in 0..REGISTERS {
                    let (at, shift) = (register * 6 / 8, register * 6 % 8);
                    let low = u16::from(body[at]);
                    let high = u16::from(body.get(at + 1).copied().unwrap_or(0));
                    let value = ((low | high << 8) >> shift) as u8 & 63;
                    // No hash gives a higher one.
                    if u32::from(value) > Q + 1 {
                        return None;
                    }
                    registers.raise(register as u16, value);
                }
                Some(registers)
            }
            SPARSE => {
                let mut register = 0;
                let mut codes = body.iter().copied();
                while let Some(code) = codes.next() {
                    let (value, run) = match code >> 6 {
                        0 => (0, usize::from(code & 63) + 1),
                        1 => {
                            let low = usize::from(codes.next()?);
                            (0, (usize::from(code & 63) << 8 | low) + 1)
                        }
                        _ => ((code >> 2 & 31) + 1, usize::from(code & 3) + 1),
                    };
                    let end = register + run;
                    if end > REGISTERS {
                        return None;
                    }
                    if value > 0 {
                        for it in register..end {
                            registers.raise(it as u16, value);
                        }
                    }
                    register = end;
                }
                (register == REGISTERS).then_some(registers)
            }
            _ => None,
        }
    }

    /// Writes the sketch in the dense format of Redis, without a cached count.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; DENSE_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = DENSE;
        // The highest bit of the count marks it as not computed yet.
        bytes[HEADER - 1] = 1 << 7;
        for (register, value) in self.all().into_iter().enumerate() {
            let (at, shift) = (HEADER + register * 6 / 8, register * 6 % 8);
            let [low, high] = (u16::from(value & 63) << shift).to_le_bytes();
            bytes[at] |= low;
            if high != 0 {
                bytes[at + 1] |= high;
            }
        }
        bytes
    }
}

/// MurmurHash64A.
fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = chunk
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        word = word.wrapping_mul(M);
        word ^= word >> 47;
        word = word.wrapping_mul(M);
        hash = (hash ^ word).wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let word = rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash ^ word).wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 47
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(elements: std::ops::Range<u32>) -> Registers {
        let mut registers = Registers::default();
        for element in elements {
            registers.add(element.to_string().as_bytes());
        }
        registers
    }

    #[test]
    fn the_estimate_is_within_four_deviations_of_the_truth() {
        for many in [0, 1, 10, 100, 1_000, 10_000, 100_000] {
            let error = (sketch(0..many).count() as f64 - f64::from(many)).abs();
            assert!(error <= 4.0 * 0.0081 * f64::from(many), "{many}: {error}");
        }
    }

    #[test]
    fn a_sketch_is_read_back_as_it_was_written() {
        for many in [0, 5, 900, 5_000] {
            let registers = sketch(0..many);
            assert_eq!(Registers::decode(&registers.encode()), Some(registers));
        }
    }

    #[test]
    fn bytes_that_are_not_a_sketch_are_not_read() {
        // No hash has so many zeros.
        for (value, is_one) in [(51, true), (52, false), (63, false)] {
            let highest = Registers::Dense(vec![value; REGISTERS].into());
            let read = Registers::decode(&highest.encode());
            assert_eq!(read.is_some(), is_one, "{value}");
        }
        let dense = sketch(0..5).encode();
        let sparse = |codes: &[u8]| [&b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0"[..], codes].concat();
        assert!(Registers::decode(&sparse(&[0x7f, 0xff])).is_some());
        for wrong in [
            vec![],
            b"HYLL".to_vec(),
            dense[1..].to_vec(),
            dense[..dense.len() - 1].to_vec(),
            [&dense[..4], &[2], &dense[5..]].concat(),
            sparse(&[]),
            sparse(&[0x7f]),
            sparse(&[0x7f, 0xfe]),
            sparse(&[0x7f, 0xff, 0x80]),
        ] {
            assert_eq!(Registers::decode(&wrong), None);
        }
    }

    #[test]
    fn a_union_counts_what_is_in_either() {
        let mut union = sketch(0..3_000);
        union.merge(&sketch(2_000..5_000));
        assert_eq!(union, sketch(0..5_000));
        let mut small = sketch(0..10);
        small.merge(&sketch(5..20));
        assert_eq!(small, sketch(0..20));
    }
}
