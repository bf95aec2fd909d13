//! A frame around stored bytes that detects damage, truncation and mix-ups.
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | magic: three letters and the version of the layout |
//! | 4..12 | checksum (XXH3) of all that follows |
//! | 12..20 | hash (XXH3) of the key, without its namespace |
//! | 20..24 | length of the payload |
//! | 24.. | payload |
//!
//! Numbers are little-endian. A checksum is not a signature: anyone who may write to the store may
//! write any payload.

use larder_store::Key;
use xxhash_rust::xxh3::xxh3_64;

/// The number of bytes in front of the payload.
pub const LEN: usize = 24;

/// Fills in the first [`LEN`] bytes of `sealed`, in front of the payload.
///
/// Returns `None`, with `sealed` unspecified, if it is shorter than [`LEN`] or the payload is
/// longer than 4 GiB.
pub fn seal(magic: [u8; 4], key: &Key, sealed: &mut [u8]) -> Option<()> {
    let length = u32::try_from(sealed.len().checked_sub(LEN)?).ok()?;
    sealed[..4].copy_from_slice(&magic);
    sealed[12..20].copy_from_slice(&key_hash(key).to_le_bytes());
    sealed[20..24].copy_from_slice(&length.to_le_bytes());
    let checksum = xxh3_64(&sealed[12..]);
    sealed[4..12].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

/// Returns the payload that was sealed with this magic under this key.
///
/// Returns `None` for any other bytes.
pub fn open<'a>(magic: [u8; 4], key: &Key, sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (header, payload) = sealed.split_first_chunk::<LEN>()?;
    let is_intact = header[..4] == magic
        && header[20..24] == u32::try_from(payload.len()).ok()?.to_le_bytes()
        && header[12..20] == key_hash(key).to_le_bytes()
        && header[4..12] == xxh3_64(&sealed[12..]).to_le_bytes();
    is_intact.then_some(payload)
}

/// Returns the hash of `key` that an envelope holds: the same in every process.
pub fn key_hash(key: &Key) -> u64 {
    xxh3_64(key.as_bytes())
}

#[cfg(test)]
mod tests {
    use larder_store::Kind;
    use proptest::prelude::*;

    use super::*;

    const FILM: Kind = Kind::evictable("film");
    const MAGIC: [u8; 4] = *b"lrt\x01";

    fn sealed(payload: &[u8], key: &Key) -> Vec<u8> {
        let mut sealed = vec![0xFF; LEN];
        sealed.extend_from_slice(payload);
        seal(MAGIC, key, &mut sealed).unwrap();
        sealed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn opening_returns_the_payload_that_was_sealed(
            payload in proptest::collection::vec(any::<u8>(), 0..300), id: u64,
        ) {
            let key = Key::new(FILM, id);
            let sealed = sealed(&payload, &key);
            prop_assert_eq!(open(MAGIC, &key, &sealed), Some(payload.as_slice()));
        }

        #[test]
        fn a_payload_of_another_key_or_another_layout_is_refused(
            payload: Vec<u8>, id: u64, other: u64,
        ) {
            prop_assume!(id != other);
            let sealed = sealed(&payload, &Key::new(FILM, id));
            prop_assert_eq!(open(MAGIC, &Key::new(FILM, other), &sealed), None);
            prop_assert_eq!(open(*b"lrt\x02", &Key::new(FILM, id), &sealed), None);
        }

        #[test]
        fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = Key::new(FILM, 1_u8);
            prop_assert_eq!(open(MAGIC, &key, &noise), None);
            let framed = [&MAGIC, noise.as_slice()].concat();
            prop_assert_eq!(open(MAGIC, &key, &framed), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30_000))]

        #[test]
        fn any_change_is_refused(
            payload in proptest::collection::vec(any::<u8>(), 0..120),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=255_u8), 1..5),
            cut in proptest::option::weighted(0.2, any::<proptest::sample::Index>()),
            tail in proptest::option::weighted(0.2, proptest::collection::vec(any::<u8>(), 1..9)),
        ) {
            let key = Key::new(FILM, "a film");
            let whole = sealed(&payload, &key);
            let mut bytes = whole.clone();
            for (index, change) in changes {
                let at = index.index(bytes.len());
                bytes[at] ^= change;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(tail.unwrap_or_default());
            prop_assume!(bytes != whole);
            prop_assert_eq!(open(MAGIC, &key, &bytes), None);
        }
    }

    #[test]
    fn every_single_byte_counts() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(b"Metropolis", &key);
        for at in 0..whole.len() {
            for change in 1..=255_u8 {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                assert_eq!(open(MAGIC, &key, &bytes), None, "byte {at}");
            }
        }
    }

    #[test]
    fn a_buffer_without_room_for_the_header_is_refused() {
        let mut short = [0; LEN - 1];
        assert_eq!(seal(MAGIC, &Key::new(FILM, 7_u32), &mut short), None);
    }
}
