//! Keys: typed parts, rendered as escaped text of bounded length.

mod escape;
mod id;
mod kind;
mod name;
mod namespace;
mod parse;
mod prefix;
mod text;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::{Error, ErrorKind, Refusal, Result};

pub use id::{IdWriter, KeyId, MAX_ID};
pub use kind::{Content, Kind, Space};
pub use name::{Part, check_name, is_name};
pub use namespace::Namespace;
pub use prefix::KeyPrefix;
pub(crate) use text::Text;

/// The key of a value or a record: a kind, an id, and sometimes a part.
///
/// It reads `kind:{id}` or `kind:{id}:part`; [`Prefixed`](crate::Prefixed) puts the environment and
/// the app in front, as in `prod:matinee:session:{id}`. Only the id is in braces. It is the hash
/// tag, by which Redis Cluster places keys, so all parts of one id live on one node.
///
/// An id is escaped, and hashed if it is longer than [`MAX_ID`]. Whatever a visitor sends, a key is
/// short and printable, two different ids never give the same key, and the visitor cannot choose
/// the kind, the part or the hash tag. Typical keys need no allocation.
///
/// `Debug` shows only the kind: raw keys hold session ids and addresses, and do not belong in logs.
///
/// ```
/// use larder_store::{Key, Kind};
///
/// const SEAT: Kind = Kind::pinned("seat");
/// assert_eq!(Key::new(SEAT, (7_u32, "F:12")).as_str(), "seat:{7:F%3A12}");
/// ```
#[derive(Clone)]
pub struct Key {
    kind: Kind,
    text: Text,
    /// Where the first component of the id is in the text: the partition, if the kind has any.
    first: Span,
}

/// A part of a key's text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    from: u16,
    to: u16,
}

impl Span {
    /// A key that larder makes has a few hundred bytes, so both fit.
    fn new(from: usize, to: usize) -> Self {
        let fit = |at| u16::try_from(at).unwrap_or(u16::MAX);
        Self {
            from: fit(from),
            to: fit(to),
        }
    }
}

impl Key {
    /// Makes the key of `id` in `kind`.
    pub fn new(kind: Kind, id: impl KeyId) -> Self {
        // Written in place, because a key is large to move.
        let mut key = Self::empty(kind);
        key.text.extend_from_slice(kind.name().as_bytes());
        key.text.extend_from_slice(b":{");
        let mut writer = IdWriter::new(&mut key.text).partitioned(kind.is_partitioned());
        id.write_id(&mut writer);
        key.first = writer.finish();
        key.text.push(b'}');
        key
    }

    fn empty(kind: Kind) -> Self {
        Self {
            kind,
            text: Text::new(),
            first: Span::default(),
        }
    }

    /// Makes the key of one part of this key's record.
    #[must_use]
    pub fn with_part(mut self, part: Part) -> Self {
        self.text.push(b':');
        self.text.extend_from_slice(part.name().as_bytes());
        self
    }

    /// Puts the key into `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        let prefix = namespace.prefix().as_bytes();
        let mut text = Text::from(prefix);
        text.extend_from_slice(&self.text);
        let Span { from, to } = self.first;
        let shift = |at| usize::from(at) + prefix.len();
        Self {
            kind: self.kind,
            text,
            first: Span::new(shift(from), shift(to)),
        }
    }

    /// Returns the escaped first component of the id, if the kind has
    /// [partitions](Kind::partitioned).
    pub fn partition(&self) -> Option<&str> {
        std::str::from_utf8(self.partition_bytes()?).ok()
    }

    /// Returns the partition as bytes, without checking that they are UTF-8.
    #[inline]
    pub fn partition_bytes(&self) -> Option<&[u8]> {
        let Span { from, to } = self.first;
        match self.kind.is_partitioned() {
            true => self.text.get(usize::from(from)..usize::from(to)),
            false => None,
        }
    }

    /// Returns the kind.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Refuses a key whose kind does not hold `content`. Backends call it first.
    ///
    /// # Errors
    /// [`Refusal::WrongType`].
    #[inline]
    pub fn require(&self, content: Content, operation: &'static str) -> Result<()> {
        match self.kind.content() == content {
            true => Ok(()),
            false => Err(self.of_other_content(content, operation)),
        }
    }

    #[cold]
    fn of_other_content(&self, content: Content, operation: &'static str) -> Error {
        let expected = match content {
            Content::Value => "values are read and written under Kind::evictable or Kind::pinned",
            Content::Record => "programs run on keys of Kind::record",
        };
        Error::new(
            operation,
            ErrorKind::Refused(Refusal::WrongType),
            format!("kind '{}' has other content: {expected}", self.kind.name()),
        )
    }

    /// Returns the whole key as printable ASCII, at most a few hundred bytes.
    ///
    /// Not for logs.
    pub fn as_str(&self) -> &str {
        // Every part of a key is written as ASCII, so this never takes the fallback.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Returns the whole key as bytes.
    ///
    /// Not for logs.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kind.name())
    }
}

#[cfg(test)]
mod tests;
