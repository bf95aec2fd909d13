mod form;

use std::fmt;
use std::sync::Arc;

use larder_layer::envelope;
use larder_layer::tags::Tag;
use larder_store::{Key, Timestamp};

use crate::lifetime::Times;

pub(crate) use form::Form;

/// The fields in front of every far value, behind the header of [`envelope`].
///
/// | bytes | content |
/// |---|---|
/// | 0..24 | the header of [`envelope`], with the magic `lre` and version 3 |
/// | 24 | codec of the value |
/// | 25 | flags: 1 compressed, 2 sealed, 4 the source has no such value |
/// | 26 | number of tags, at most 16 |
/// | 27 | zero |
/// | 28..32 | schema of the value |
/// | 32..36 | duration of the load, in microseconds, at most 71 minutes |
/// | 36..44 | start of the load |
/// | 44..52 | when a reader begins to refresh it in the background |
/// | 52..60 | until when it is fresh: after that, readers load |
/// | 60..68 | until when it may be served stale |
/// | 68..76 | absolute deadline, past which nothing prolongs its freshness |
/// | 76.. | tags: the hash of each name (8 bytes) and its generation (16 bytes) |
/// | then | value |
///
/// Moments are in microseconds since the Unix epoch. Numbers are little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) codec: u8,
    pub(crate) flags: Flags,
    pub(crate) schema: u32,
    pub(crate) times: Times,
    pub(crate) tags: TagMarks,
}

/// The flags that say how to read the bytes of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// The value is compressed.
    pub(crate) const COMPRESSED: Self = Self(1);
    /// The value is encrypted and authenticated.
    pub(crate) const SEALED: Self = Self(2);
    /// The source has no value, and its absence is cached.
    pub(crate) const NOT_FOUND: Self = Self(4);

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A tag of an entry, and the generation that it had when the entry was loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TagMark {
    /// The hash of the tag's name.
    pub(crate) hash: u64,
    pub(crate) generation: [u8; 16],
}

/// The tags of an entry, at most [`MAX`](Self::MAX). A clone without any costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagMarks(Option<Arc<[TagMark]>>);

impl TagMarks {
    /// The maximum number of tags of an entry.
    pub(crate) const MAX: usize = 16;

    /// Returns None if there are more than [`MAX`](Self::MAX).
    pub(crate) fn new(marks: &[TagMark]) -> Option<Self> {
        (marks.len() <= Self::MAX).then(|| Self((!marks.is_empty()).then(|| marks.into())))
    }

    pub(crate) fn as_slice(&self) -> &[TagMark] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = Tag> {
        self.as_slice().iter().map(|mark| Tag::from_hash(mark.hash))
    }
}

impl fmt::Debug for TagMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagMark({:016x})", self.hash)
    }
}

/// The result of opening stored bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    /// A value that was sealed under this key, and its header.
    Value(Envelope, &'a [u8]),
    /// A value in the layout of an earlier release.
    Earlier,
    /// An intact value that is longer than this process allows.
    TooLong,
    /// Anything else.
    Damaged,
}

/// It differs from each of [`EARLIER`] in two bytes, so that damage to one byte never turns one
/// into another.
const MAGIC: [u8; 4] = *b"lre\x03";
/// The layouts of earlier releases.
const EARLIER: [[u8; 4]; 2] = [*b"lrd\x01", *b"lrc\x02"];

const CODEC: usize = envelope::LEN;
const FLAGS: usize = CODEC + 1;
const TAGS: usize = FLAGS + 1;
const SCHEMA: usize = TAGS + 2;
const LOAD: usize = SCHEMA + 4;
const LOADED_AT: usize = LOAD + 4;
const REFRESH_AT: usize = LOADED_AT + 8;
const FRESH_UNTIL: usize = REFRESH_AT + 8;
const STALE_UNTIL: usize = FRESH_UNTIL + 8;
const DEADLINE: usize = STALE_UNTIL + 8;
const FIXED: usize = DEADLINE + 8;
const TAG: usize = 24;

impl Envelope {
    /// Returns the number of bytes in front of the value.
    pub(crate) fn len(&self) -> usize {
        FIXED + self.tags.as_slice().len() * TAG
    }

    /// The start of the bytes that describe the value, which end at [`len`](Self::len).
    pub(crate) const DESCRIPTION: usize = CODEC;

    /// Fills in the bytes that describe the value, in front of it.
    ///
    /// Returns None if there is no room for them.
    pub(crate) fn describe(&self, sealed: &mut [u8]) -> Option<()> {
        let header = sealed.get_mut(..self.len())?;
        let marks = self.tags.as_slice();
        header[CODEC] = self.codec;
        header[FLAGS] = self.flags.0;
        header[TAGS] = u8::try_from(marks.len()).ok()?;
        header[TAGS + 1] = 0;
        header[SCHEMA..LOAD].copy_from_slice(&self.schema.to_le_bytes());
        header[LOAD..LOADED_AT].copy_from_slice(&self.times.load_micros.to_le_bytes());
        let Times {
            loaded_at,
            refresh_at,
            fresh_until,
            stale_until,
            deadline,
            ..
        } = self.times;
        let moments = [loaded_at, refresh_at, fresh_until, stale_until, deadline];
        for (slot, moment) in header[LOADED_AT..FIXED].chunks_exact_mut(8).zip(moments) {
            slot.copy_from_slice(&moment.as_micros().to_le_bytes());
        }
        for (slot, mark) in header[FIXED..].chunks_exact_mut(TAG).zip(marks) {
            slot[..8].copy_from_slice(&mark.hash.to_le_bytes());
            slot[8..].copy_from_slice(&mark.generation);
        }
        Some(())
    }

    /// Fills in the header, once everything behind it is in place.
    ///
    /// Returns None if the value is longer than 4 GiB.
    pub(crate) fn frame(sealed: &mut [u8], key: &Key) -> Option<()> {
        envelope::seal(MAGIC, key, sealed)
    }

    /// Opens what was sealed under `key`, with a value of at most `max` bytes.
    pub(crate) fn open<'a>(sealed: &'a [u8], key: &Key, max: usize) -> Opened<'a> {
        if EARLIER.iter().any(|magic| sealed.starts_with(magic)) {
            return Opened::Earlier;
        }
        match Self::parse(sealed, key) {
            Some((envelope, value)) if value.len() <= max => Opened::Value(envelope, value),
            Some(_) => Opened::TooLong,
            None => Opened::Damaged,
        }
    }

    fn parse<'a>(sealed: &'a [u8], key: &Key) -> Option<(Self, &'a [u8])> {
        envelope::open(MAGIC, key, sealed)?;
        let header = sealed.first_chunk::<FIXED>()?;
        let tags = usize::from(header[TAGS]);
        if tags > TagMarks::MAX {
            return None;
        }
        let (marks, value) = sealed[FIXED..].split_at_checked(tags * TAG)?;
        let moment = |from| Timestamp::from_micros(i64::from_le_bytes(at(header, from)));
        let mut read = [TagMark::NONE; TagMarks::MAX];
        for (mark, bytes) in read.iter_mut().zip(marks.chunks_exact(TAG)) {
            *mark = TagMark::from_bytes(bytes)?;
        }
        let envelope = Self {
            codec: header[CODEC],
            flags: Flags(header[FLAGS]),
            schema: u32::from_le_bytes(at(header, SCHEMA)),
            times: Times {
                loaded_at: moment(LOADED_AT),
                load_micros: u32::from_le_bytes(at(header, LOAD)),
                refresh_at: moment(REFRESH_AT),
                fresh_until: moment(FRESH_UNTIL),
                stale_until: moment(STALE_UNTIL),
                deadline: moment(DEADLINE),
            },
            tags: TagMarks::new(&read[..tags])?,
        };
        Some((envelope, value))
    }
}

impl TagMark {
    const NONE: Self = Self {
        hash: 0,
        generation: [0; 16],
    };

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hash, generation) = bytes.split_first_chunk()?;
        Some(Self {
            hash: u64::from_le_bytes(*hash),
            generation: *generation.first_chunk()?,
        })
    }
}

/// Returns the `N` bytes of `header` that begin at `from`, which is a constant within it.
fn at<const N: usize>(header: &[u8; FIXED], from: usize) -> [u8; N] {
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

    fn envelope(moment: i64, load_micros: u32, codec: u8) -> Envelope {
        let at = |micros| Timestamp::from_micros(moment.wrapping_add(micros));
        let mark = |hash| TagMark {
            hash,
            generation: [codec; 16],
        };
        let marks: Vec<_> = (0..u64::from(codec % 17)).map(mark).collect();
        Envelope {
            codec,
            flags: Flags(codec ^ 7),
            schema: load_micros ^ 5,
            times: Times {
                loaded_at: at(0),
                load_micros,
                refresh_at: at(1),
                fresh_until: at(2),
                stale_until: at(3),
                deadline: at(4),
            },
            tags: TagMarks::new(&marks).unwrap(),
        }
    }

    fn sealed(envelope: &Envelope, payload: &[u8], key: &Key) -> Vec<u8> {
        let mut sealed = vec![0xFF; envelope.len()];
        sealed.extend_from_slice(payload);
        envelope.describe(&mut sealed).unwrap();
        Envelope::frame(&mut sealed, key).unwrap();
        sealed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn opening_returns_what_was_sealed(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            moment: i64, load: u32, codec: u8, id: u64,
        ) {
            let (envelope, key) = (envelope(moment, load, codec), Key::new(FILM, id));
            let sealed = sealed(&envelope, &payload, &key);
            prop_assert_eq!(Envelope::open(&sealed, &key, MAX), Opened::Value(envelope, payload.as_slice()));
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

    #[test]
    fn every_single_byte_counts() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(&envelope(1, 2, 3), b"Metropolis", &key);
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
    fn a_value_larger_than_the_limit_is_told_from_a_damaged_one() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(&envelope(1, 2, 3), &[0; 100], &key);
        assert!(matches!(
            Envelope::open(&whole, &key, 100),
            Opened::Value(..)
        ));
        assert_eq!(Envelope::open(&whole, &key, 99), Opened::TooLong);
        let mut whole = sealed(&envelope(1, 2, 16), &[0; 100], &key);
        let opened = Envelope::open(&whole, &key, 100);
        assert!(matches!(opened, Opened::Value(..)), "tags do not count");
        *whole.last_mut().unwrap() = 1;
        assert_eq!(Envelope::open(&whole, &key, 99), Opened::Damaged);
    }

    #[test]
    fn the_bytes_lie_where_the_table_of_the_layout_says() {
        let key = Key::new(FILM, 7_u32);
        let whole = sealed(&envelope(1, 0x0403_0201, 1), b"Metropolis", &key);
        assert_eq!(whole[24..36], [1, 6, 1, 0, 4, 2, 3, 4, 1, 2, 3, 4]);
        let moments = [1, 2, 3, 4, 5].map(i64::to_le_bytes).concat();
        assert_eq!(whole[36..76], moments);
        assert_eq!(whole[76..100], [[0; 8].as_slice(), &[1; 16]].concat());
        assert_eq!(&whole[100..], b"Metropolis");
    }

    #[test]
    fn a_value_in_an_earlier_layout_is_told_from_a_damaged_one() {
        let key = Key::new(FILM, 7_u32);
        for magic in EARLIER {
            let mut earlier = sealed(&envelope(1, 2, 3), b"Metropolis", &key);
            earlier[..4].copy_from_slice(&magic);
            assert_eq!(Envelope::open(&earlier, &key, MAX), Opened::Earlier);
        }
    }

    #[test]
    fn an_entry_has_no_more_than_sixteen_tags() {
        let mark = TagMark::NONE;
        assert_eq!(format!("{mark:?}"), "TagMark(0000000000000000)");
        assert!(TagMarks::new(&[mark; 16]).is_some());
        assert!(TagMarks::new(&[mark; 17]).is_none());
        let key = Key::new(FILM, 7_u32);
        let mut whole = sealed(&envelope(1, 2, 16), b"", &key);
        whole[TAGS] = 17;
        larder_layer::envelope::seal(MAGIC, &key, &mut whole).unwrap();
        assert_eq!(Envelope::open(&whole, &key, MAX), Opened::Damaged);
    }

    #[test]
    fn flags_are_kept_apart() {
        let both = Flags::COMPRESSED.with(Flags::SEALED);
        assert!(both.contains(Flags::COMPRESSED) && both.contains(Flags::SEALED));
        assert!(!both.contains(Flags::NOT_FOUND));
        assert_eq!(both.with(Flags::SEALED), both);
    }
}
