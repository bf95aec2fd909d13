//! Tags: one write invalidates every value that carries a tag, however many there are.
//!
//! A tag is a record in the store: a random [`Generation`], and the time of its last change by the
//! store's clock. A value carries the generation that each of its tags had when it was loaded, and is
//! valid only while they still have it.
//!
//! 1. A change draws a new generation. It is one program, and does not visit the values.
//! 2. If a tag has no record, the values that carry it are misses. A reader never makes one; the next
//!    load does, and nothing is published then.
//! 3. A value is not stored if one of its tags changed since its load began: see [`Tags::note`].
//! 4. Generations are remembered for a while, until a message says that they changed. If nothing may be
//!    stale, read them from the store each time, with [`Tags::new`] and a span of zero.
//!
//! A tag is identified by the hash of its text, so a text of any length and content costs the same.
//! Two texts with one hash would only be invalidated together.
//!
//! Whether a tag changed during a load is seen from its generation, if that was known when the load
//! began, and from the changes that this process makes or hears of meanwhile. For a tag that a process
//! meets for the first time, or for the first time since another process changed it, the time of the last
//! change is compared with the time of the load's lease. In a cluster these are the clocks of two servers,
//! which must agree.

mod begin;
mod change;
mod client;
mod known;
mod message;
mod note;
mod read;
#[cfg(test)]
mod traces;

use std::fmt;

use larder_store::program::prelude::*;
use larder_store::{IdWriter, KeyId};
use xxhash_rust::xxh3::xxh3_64;

pub use begin::{LoadBegin, Tick};
pub use change::{ChangeTag, TagChange};
pub use client::{Tags, Validity};
pub use message::TagMessage;
pub use note::NoteTag;
pub use read::ReadTag;

/// A tag, as the hash of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// Returns the tag with this text.
    pub fn new(text: &str) -> Self {
        Self(xxh3_64(text.as_bytes()))
    }

    /// Returns the tag with this hash.
    pub const fn from_hash(hash: u64) -> Self {
        Self(hash)
    }

    /// Returns the hash of its text.
    pub const fn hash(self) -> u64 {
        self.0
    }

    /// Returns the key of its record.
    pub fn key(self) -> Key {
        Key::new(TagRecord::KIND, self)
    }
}

impl KeyId for Tag {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        let mut text = [0; 16];
        for (at, digit) in text.iter_mut().enumerate() {
            let half = (self.0 >> (60 - at * 4)) as usize & 15;
            *digit = b"0123456789abcdef"[half];
        }
        id.bytes(&text);
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:016x})", self.0)
    }
}

/// A random version of a tag, which every change of the tag replaces.
///
/// A removal replaces all of it, and an expiry its second half, so that the two can be told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Generation([u8; 16]);

impl Generation {
    /// Draws a new generation.
    pub fn random() -> Self {
        Self(*larder_store::Version::random().as_bytes())
    }

    /// Returns the generation with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns whether a value with this generation is still valid if the tag's generation is `now`.
    pub fn compared_with(self, now: Self) -> Validity {
        if self == now {
            Validity::Current
        } else if self.0[..8] == now.0[..8] {
            Validity::Expired
        } else {
            Validity::Removed
        }
    }

    /// Returns this generation after an expiry that drew `new`.
    #[must_use]
    pub fn expired_by(mut self, new: Self) -> Self {
        self.0[8..].copy_from_slice(&new.0[8..]);
        self
    }
}

impl Arg for Generation {
    fn write(&self, args: &mut Args) {
        self.0.write(args);
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({:02x}{:02x}..)", self.0[0], self.0[8])
    }
}

/// The state of a tag at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagState {
    /// Its generation.
    pub generation: Generation,
    /// When it was last changed; 0 if no change is known.
    pub changed: Timestamp,
}

impl FromWire for TagState {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (generation, changed) = wire.read()?;
        Ok(Self {
            generation: Generation(generation),
            changed,
        })
    }
}

/// The record of a tag. On Redis it is a string: the generation, then two numbers as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRecord {
    state: TagState,
    /// When the record expires, which is after every value that carries the tag.
    until: i64,
}

record! {
    TagRecord, Kind::record("tag");
    /// Shows when a tag was last changed, and when its record expires.
    pub InspectTag = "tag-inspect",
    concat!(include_str!("tag.lua"), include_str!("inspect.lua")),
    |tag, shown| shown
        .with("changed_us", tag.state.changed.as_micros())
        .with("until_us", tag.until),
}

impl TagRecord {
    /// Returns the TTL at `now`.
    fn ttl(&self, now: i64) -> Ttl {
        Ttl::covering_micros(self.until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_any_text_has_a_short_plain_key() {
        for text in ["", "films", "}{*\r\n%\0", &"long".repeat(10_000)] {
            let key = Tag::new(text).key();
            assert_eq!(key.as_str().len(), "tag:{}".len() + 16);
            assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        assert_eq!(
            Tag::from_hash(0xab).key().as_str(),
            "tag:{00000000000000ab}"
        );
        assert_ne!(Tag::new("a"), Tag::new("b"));
    }

    #[test]
    fn a_removal_and_an_expiry_are_told_apart() {
        let first = Generation::random();
        let expired = first.expired_by(Generation::random());
        assert_eq!(first.compared_with(first), Validity::Current);
        assert_eq!(first.compared_with(expired), Validity::Expired);
        assert_eq!(first.compared_with(Generation::random()), Validity::Removed);
        assert_eq!(expired.compared_with(first), Validity::Expired);
    }
}
