#[cfg(any(feature = "lz4", feature = "zstd"))]
use std::fmt;

/// Bytes in front of a compressed value: the algorithm, and the length before compression.
const HEADER: usize = 5;

/// The numbers of the algorithms in stored values.
const LZ4: u8 = 1;
const ZSTD: u8 = 2;

/// Compresses the values of a far store, for [`with_compression`].
///
/// A value is stored compressed only if that makes it shorter. Each value records how it was
/// compressed, so processes with different settings can share a store.
///
/// [`with_compression`]: crate::CacheBuilder::with_compression
#[cfg(any(feature = "lz4", feature = "zstd"))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    algorithm: Algorithm,
    min_bytes: usize,
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    #[cfg(feature = "lz4")]
    Lz4,
    #[cfg(feature = "zstd")]
    Zstd,
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
impl Compression {
    /// LZ4: fast, for values that are read often. It is written in safe Rust.
    #[cfg(feature = "lz4")]
    pub const fn lz4() -> Self {
        Self::of(Algorithm::Lz4)
    }

    /// Zstandard at its default level: slower and smaller. It builds a C library.
    #[cfg(feature = "zstd")]
    pub const fn zstd() -> Self {
        Self::of(Algorithm::Zstd)
    }

    const fn of(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            min_bytes: 1024,
        }
    }

    /// Sets the length, in encoded bytes, from which values are compressed. Default: 1,024.
    #[must_use]
    pub const fn with_min_bytes(mut self, bytes: usize) -> Self {
        self.min_bytes = bytes;
        self
    }

    /// Compresses the bytes of `value` behind `from`. Returns false if they would not get shorter.
    pub(super) fn compress(self, value: &mut Vec<u8>, from: usize) -> bool {
        let plain = &value[from..];
        let Ok(length) = u32::try_from(plain.len()) else {
            return false;
        };
        if plain.len() < self.min_bytes {
            return false;
        }
        let (number, short) = match self.algorithm {
            #[cfg(feature = "lz4")]
            Algorithm::Lz4 => (LZ4, Some(lz4_flex::block::compress(plain))),
            #[cfg(feature = "zstd")]
            Algorithm::Zstd => (ZSTD, zstd::bulk::compress(plain, 0).ok()),
        };
        let Some(short) = short.filter(|short| HEADER + short.len() < plain.len()) else {
            return false;
        };
        value.truncate(from);
        value.push(number);
        value.extend_from_slice(&length.to_le_bytes());
        value.extend_from_slice(&short);
        true
    }
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.algorithm {
            #[cfg(feature = "lz4")]
            Algorithm::Lz4 => "lz4",
            #[cfg(feature = "zstd")]
            Algorithm::Zstd => "zstd",
        };
        f.debug_struct("Compression")
            .field("algorithm", &algorithm)
            .field("min_bytes", &self.min_bytes)
            .finish()
    }
}

/// Why bytes were not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// This build does not know the algorithm, or they claim to be longer than the maximum.
    Foreign,
    /// They are not compressed data.
    Damaged,
}

/// Returns the decompressed value, if it has at most `max` bytes.
///
/// It allocates at most `max` bytes, whatever length the bytes claim, and takes no longer than a
/// value of that length does.
pub(super) fn decompress(bytes: &[u8], max: usize) -> Result<Vec<u8>, Failure> {
    let (header, short) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(Failure::Damaged)?;
    let [algorithm, length @ ..] = *header;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| Failure::Damaged)?;
    if length > max || !matches!(algorithm, LZ4 | ZSTD) {
        return Err(Failure::Foreign);
    }
    let plain: Option<Vec<u8>> = match algorithm {
        #[cfg(feature = "lz4")]
        LZ4 => lz4(short, length),
        #[cfg(not(feature = "lz4"))]
        LZ4 => return Err(Failure::Foreign),
        #[cfg(feature = "zstd")]
        ZSTD => zstd::bulk::decompress(short, length).ok(),
        #[cfg(not(feature = "zstd"))]
        ZSTD => return Err(Failure::Foreign),
        _ => None,
    };
    let plain = plain.filter(|plain| plain.len() == length);
    #[cfg(not(any(feature = "lz4", feature = "zstd")))]
    let _ = short;
    plain.ok_or(Failure::Damaged)
}

#[cfg(feature = "lz4")]
fn lz4(short: &[u8], length: usize) -> Option<Vec<u8>> {
    // One byte of LZ4 expands to at most 255, so a longer length is false; it is rejected before
    // memory is allocated.
    if length / 255 > short.len() {
        return None;
    }
    let mut plain = vec![0; length];
    let written = lz4_flex::block::decompress_into(short, &mut plain).ok()?;
    (written == length).then_some(plain)
}

#[cfg(test)]
#[cfg(all(feature = "lz4", feature = "zstd"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compression; 2] = [Compression::lz4(), Compression::zstd()];

    fn compressed(compression: Compression, plain: &[u8]) -> Option<Vec<u8>> {
        let mut value = [b"head", plain].concat();
        let is_compressed = compression.compress(&mut value, 4);
        assert!(value.starts_with(b"head"));
        is_compressed.then(|| value.split_off(4))
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(
            word in proptest::collection::vec(any::<u8>(), 1..20),
            times in 60..400_usize,
        ) {
            let plain = word.repeat(times);
            for compression in ALL.map(|it| it.with_min_bytes(0)) {
                let short = compressed(compression, &plain).unwrap();
                prop_assert!(short.len() < plain.len());
                prop_assert_eq!(decompress(&short, plain.len()).unwrap(), &plain[..]);
                prop_assert_eq!(decompress(&short, plain.len() - 1), Err(Failure::Foreign));
            }
        }

        #[test]
        fn noise_is_not_decompressed_to_more_than_allowed(
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            algorithm in 0..4_u8,
            length in 0..5_000_u32,
        ) {
            let bytes = [&[algorithm][..], &length.to_le_bytes(), &noise].concat();
            if let Ok(plain) = decompress(&bytes, 2_000) {
                prop_assert!(plain.len() <= 2_000);
            }
        }
    }

    #[test]
    fn a_value_that_is_short_or_does_not_get_shorter_stays_as_it_is() {
        let noise: Vec<u8> = (0..4_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        for compression in ALL {
            assert!(compressed(compression, &[7; 1_023]).is_none());
            assert!(compressed(compression, &[7; 1_024]).is_some());
            assert!(compressed(compression.with_min_bytes(0), b"short").is_none());
            let short = compressed(compression.with_min_bytes(0), &noise);
            assert!(short.is_none_or(|short| short.len() < noise.len()));
        }
    }

    #[test]
    fn a_bomb_costs_no_more_memory_than_a_value_may_have() {
        const MAX: usize = 1 << 20;
        let bomb = |compression: Compression| {
            let zeros = vec![0; 64 * MAX];
            compressed(compression, &zeros).unwrap()
        };
        for mut bytes in ALL.map(bomb) {
            assert!(bytes.len() < MAX);
            let costs = |bytes: &[u8], why: Failure| {
                let cost = allocation_counter::measure(|| {
                    assert_eq!(decompress(bytes, MAX), Err(why));
                });
                cost.bytes_max
            };
            assert_eq!(costs(&bytes, Failure::Foreign), 0, "it says how long it is");
            let lie = u32::try_from(MAX).unwrap();
            bytes[1..HEADER].copy_from_slice(&lie.to_le_bytes());
            // A decoder and its error take a little memory too.
            let most = MAX as u64 + 4_096;
            assert!(costs(&bytes, Failure::Damaged) <= most, "it lies");
            let cut = &bytes[..20];
            assert!(costs(cut, Failure::Damaged) <= most, "it lies, and is cut");
        }
    }

    #[test]
    fn an_unknown_algorithm_is_of_another_release() {
        assert_eq!(decompress(&[9, 1, 0, 0, 0, 7], 10), Err(Failure::Foreign));
        assert_eq!(decompress(&[], 10), Err(Failure::Damaged));
    }
}
