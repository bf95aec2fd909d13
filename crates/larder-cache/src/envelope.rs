use larder_layer::envelope;
use larder_store::{Key, Timestamp};

/// What is stored in front of every far value, behind the header of [`envelope`].
///
/// | bytes | content |
/// |---|---|
/// | 0..24 | the header of [`envelope`], with the magic `lrc` and version 2 |
/// | 24 | codec of the value |
/// | 25..33 | deadline, in microseconds since the Unix epoch |
/// | 33..41 | duration of the load, in microseconds |
/// | 41.. | value |
///
/// Numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) codec: u8,
    pub(crate) deadline: Timestamp,
    pub(crate) load_micros: u64,
}

/// What some stored bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    /// A value that was sealed under this key, and its header.
    Value(Envelope, &'a [u8]),
    /// A value in the layout of an earlier release.
    Earlier,
    /// Anything else.
    Damaged,
}

const MAGIC: [u8; 4] = *b"lrc\x02";
/// It differs from [`MAGIC`] in two bytes, so that no damage of one byte makes one of the other.
const EARLIER: [u8; 4] = *b"lrd\x01";

const CODEC: usize = envelope::LEN;
const DEADLINE: usize = CODEC + 1;
const LOAD: usize = DEADLINE + 8;

impl Envelope {
    /// The number of bytes in front of the value.
    pub(crate) const LEN: usize = LOAD + 8;

    /// Fills in the first [`LEN`](Self::LEN) bytes of `sealed`, in front of the value.
    ///
    /// None if the value is longer than 4 GiB.
    pub(crate) fn seal(self, sealed: &mut [u8], key: &Key) -> Option<()> {
        let (header, _) = sealed.split_first_chunk_mut::<{ Self::LEN }>()?;
        header[CODEC] = self.codec;
        header[DEADLINE..LOAD].copy_from_slice(&self.deadline.as_micros().to_le_bytes());
        header[LOAD..].copy_from_slice(&self.load_micros.to_le_bytes());
        envelope::seal(MAGIC, key, sealed)
    }

    /// Opens what was sealed under `key`, with a value of at most `max` bytes.
    pub(crate) fn open<'a>(sealed: &'a [u8], key: &Key, max: usize) -> Opened<'a> {
        if sealed.starts_with(&EARLIER) {
            return Opened::Earlier;
        }
        let parts = (sealed.len().saturating_sub(Self::LEN) <= max)
            .then(|| envelope::open(MAGIC, key, sealed))
            .flatten()
            .and_then(|_| sealed.split_first_chunk::<{ Self::LEN }>());
        let Some((header, value)) = parts else {
            return Opened::Damaged;
        };
        let envelope = Self {
            codec: header[CODEC],
            deadline: Timestamp::from_micros(i64::from_le_bytes(at(header, DEADLINE))),
            load_micros: u64::from_le_bytes(at(header, LOAD)),
        };
        Opened::Value(envelope, value)
    }
}

/// Returns the eight bytes of `header` that begin at `from`, which is a constant within it.
fn at(header: &[u8; Envelope::LEN], from: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[from..from + 8]);
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
        fn opening_returns_what_was_sealed(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            deadline: i64, load: u64, codec: u8, id: u64,
        ) {
            let (envelope, key) = (envelope(deadline, load, codec), Key::new(FILM, id));
            let sealed = sealed(envelope, &payload, &key);
            prop_assert_eq!(Envelope::open(&sealed, &key, MAX), Opened::Value(envelope, payload.as_slice()));
        }

        #[test]
        fn a_value_of_another_key_is_refused(payload: Vec<u8>, id: u64, other: u64) {
            prop_assume!(id != other);
            let sealed = sealed(envelope(7, 7, 1), &payload, &Key::new(FILM, id));
            prop_assert_eq!(Envelope::open(&sealed, &Key::new(FILM, other), MAX), Opened::Damaged);
        }

        #[test]
        fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = Key::new(FILM, 1_u8);
            prop_assert_eq!(Envelope::open(&noise, &key, MAX), Opened::Damaged);
            let mut framed = MAGIC.to_vec();
            framed.extend_from_slice(&noise);
            prop_assert_eq!(Envelope::open(&framed, &key, MAX), Opened::Damaged);
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
            prop_assert_eq!(Envelope::open(&bytes, &key, MAX), Opened::Damaged);
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
                assert_eq!(
                    Envelope::open(&bytes, &key, MAX),
                    Opened::Damaged,
                    "byte {at}"
                );
            }
        }
    }

    #[test]
    fn a_value_larger_than_the_limit_is_refused() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(envelope(1, 2, 3), &[0; 100], &key);
        assert!(matches!(
            Envelope::open(&whole, &key, 100),
            Opened::Value(..)
        ));
        assert_eq!(Envelope::open(&whole, &key, 99), Opened::Damaged);
    }

    #[test]
    fn a_value_in_an_earlier_layout_is_told_from_a_damaged_one() {
        let key = Key::new(FILM, 7_u32);
        let mut earlier = sealed(envelope(1, 2, 3), b"Metropolis", &key);
        earlier[..4].copy_from_slice(&EARLIER);
        assert_eq!(Envelope::open(&earlier, &key, MAX), Opened::Earlier);
    }
}
