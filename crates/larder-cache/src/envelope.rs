use larder_store::{Key, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

/// What stands in front of every far value, so that bytes which are not what was written, whole,
/// under this key, are a miss.
///
/// | bytes | what |
/// |---|---|
/// | 0..3 | magic, `lrd` |
/// | 3 | version of this layout, 1 |
/// | 4..12 | checksum (XXH3) of all that follows |
/// | 12 | codec of the payload |
/// | 13..16 | zero |
/// | 16..24 | hash (XXH3) of the key, without its namespace |
/// | 24..32 | deadline, in microseconds since the Unix epoch |
/// | 32..40 | how long the load took, in microseconds |
/// | 40..44 | length of the payload |
/// | 44.. | payload |
///
/// Numbers are little-endian. Another version may have another layout after byte 4: stale
/// deadlines and tags come with it. A checksum is no signature: who may write to the store may
/// write any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) codec: u8,
    pub(crate) deadline: Timestamp,
    pub(crate) load_micros: u64,
}

const MAGIC: [u8; 4] = *b"lrd\x01";
const CHECKSUM: usize = 4;
const CODEC: usize = 12;
const RESERVED: usize = 13;
const KEY: usize = 16;
const DEADLINE: usize = 24;
const LOAD: usize = 32;
const LENGTH: usize = 40;

impl Envelope {
    /// How many bytes stand in front of the payload.
    pub(crate) const LEN: usize = 44;

    /// Fills in the first [`LEN`](Self::LEN) bytes of `sealed`, behind which the payload stands.
    /// Nothing if the payload has more than 4 GiB.
    pub(crate) fn seal(self, sealed: &mut [u8], key: &Key) -> Option<()> {
        let length = u32::try_from(sealed.len().checked_sub(Self::LEN)?).ok()?;
        let (header, _) = sealed.split_first_chunk_mut::<{ Self::LEN }>()?;
        header.fill(0);
        header[..CHECKSUM].copy_from_slice(&MAGIC);
        header[CODEC] = self.codec;
        header[KEY..DEADLINE].copy_from_slice(&hash_of(key).to_le_bytes());
        header[DEADLINE..LOAD].copy_from_slice(&self.deadline.as_micros().to_le_bytes());
        header[LOAD..LENGTH].copy_from_slice(&self.load_micros.to_le_bytes());
        header[LENGTH..].copy_from_slice(&length.to_le_bytes());
        let checksum = xxh3_64(&sealed[CODEC..]);
        sealed[CHECKSUM..CODEC].copy_from_slice(&checksum.to_le_bytes());
        Some(())
    }

    /// Reads what was sealed under `key`, and its payload of at most `max` bytes. Nothing if it is
    /// anything else.
    pub(crate) fn open<'a>(sealed: &'a [u8], key: &Key, max: usize) -> Option<(Self, &'a [u8])> {
        let (header, payload) = sealed.split_first_chunk::<{ Self::LEN }>()?;
        let sound = header[..CHECKSUM] == MAGIC
            && payload.len() <= max
            && u32::from_le_bytes(at(header, LENGTH)) as usize == payload.len()
            && u64::from_le_bytes(at(header, KEY)) == hash_of(key)
            && header[RESERVED..KEY] == [0; KEY - RESERVED]
            && u64::from_le_bytes(at(header, CHECKSUM)) == xxh3_64(&sealed[CODEC..]);
        let envelope = Self {
            codec: header[CODEC],
            deadline: Timestamp::from_micros(i64::from_le_bytes(at(header, DEADLINE))),
            load_micros: u64::from_le_bytes(at(header, LOAD)),
        };
        sound.then_some((envelope, payload))
    }
}

fn hash_of(key: &Key) -> u64 {
    xxh3_64(key.as_bytes())
}

/// The `N` bytes of `header` that begin at `from`, which is a constant within it.
fn at<const N: usize>(header: &[u8; Envelope::LEN], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[from..from + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use larder_store::Kind;
    use proptest::prelude::*;

    use super::*;

    const FILM: Kind = Kind::evictable("film");
    const MAX: usize = 1 << 16;

    fn envelope(deadline: i64, load_micros: u64, codec: u8) -> Envelope {
        Envelope {
            codec,
            deadline: Timestamp::from_micros(deadline),
            load_micros,
        }
    }

    fn sealed(envelope: Envelope, payload: &[u8], key: &Key) -> Vec<u8> {
        let mut sealed = vec![0xFF; Envelope::LEN];
        sealed.extend_from_slice(payload);
        envelope.seal(&mut sealed, key).unwrap();
        sealed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_was_sealed_is_what_is_opened(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            deadline: i64, load: u64, codec: u8, id: u64,
        ) {
            let (envelope, key) = (envelope(deadline, load, codec), Key::new(FILM, id));
            let sealed = sealed(envelope, &payload, &key);
            prop_assert_eq!(Envelope::open(&sealed, &key, MAX), Some((envelope, payload.as_slice())));
        }

        #[test]
        fn another_key_opens_nothing(payload: Vec<u8>, id: u64, other: u64) {
            prop_assume!(id != other);
            let sealed = sealed(envelope(7, 7, 1), &payload, &Key::new(FILM, id));
            prop_assert_eq!(Envelope::open(&sealed, &Key::new(FILM, other), MAX), None);
        }

        #[test]
        fn noise_opens_nothing(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = Key::new(FILM, 1_u8);
            prop_assert_eq!(Envelope::open(&noise, &key, MAX), None);
            let mut framed = MAGIC.to_vec();
            framed.extend_from_slice(&noise);
            prop_assert_eq!(Envelope::open(&framed, &key, MAX), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30_000))]

        #[test]
        fn whatever_is_changed_opens_nothing(
            payload in proptest::collection::vec(any::<u8>(), 0..120),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=255_u8), 1..5),
            cut in proptest::option::weighted(0.2, any::<proptest::sample::Index>()),
            tail in proptest::option::weighted(0.2, proptest::collection::vec(any::<u8>(), 1..9)),
        ) {
            let key = Key::new(FILM, "a film");
            let whole = sealed(envelope(1_767_225_600_000_000, 1_500, 1), &payload, &key);
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
            prop_assert_eq!(Envelope::open(&bytes, &key, MAX), None);
        }
    }

    #[test]
    fn every_single_byte_counts() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(envelope(1, 2, 3), b"Metropolis", &key);
        for at in 0..whole.len() {
            for change in 1..=255_u8 {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                assert_eq!(Envelope::open(&bytes, &key, MAX), None, "byte {at}");
            }
        }
    }

    #[test]
    fn a_payload_past_the_bound_is_not_opened() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(envelope(1, 2, 3), &[0; 100], &key);
        assert!(Envelope::open(&whole, &key, 100).is_some());
        assert!(Envelope::open(&whole, &key, 99).is_none());
    }
}
