use std::fmt;
use std::hash::{Hash, Hasher};

use super::name::is_name;

/// The kind of a key: its name, whether the store may evict it, and whether it holds a value or a record.
///
/// Declare a kind as a constant of the crate that owns the keys. Its name is in every key, so an
/// operator can tell keys apart, and a store knows the space of a key from the key alone.
///
/// ```
/// use larder_store::{Kind, Space};
///
/// const FILM: Kind = Kind::evictable("film");
/// const HOLD: Kind = Kind::pinned("hold");
/// assert_eq!((FILM.space(), HOLD.space()), (Space::Evictable, Space::Pinned));
/// ```
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    space: Space,
    content: Content,
    is_partitioned: bool,
    has_consistent_reads: bool,
}

/// The space of a kind, which says whether the store may evict its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The store may evict the key at any time: a cache.
    Evictable,
    /// The store keeps the key until its TTL ends, or refuses the write with
    /// [`Refusal::Full`](crate::Refusal::Full).
    Pinned,
}

/// The content of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Bytes with a version, for the operations of [`Store`](crate::Store).
    Value,
    /// A typed record, only for [`Programs`](crate::program::Programs). It is always pinned.
    Record,
}

impl Kind {
    /// Makes a kind of values that the store may evict.
    ///
    /// # Panics
    /// If the name is not 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`; in a `const` that is a
    /// compile error.
    pub const fn evictable(name: &'static str) -> Self {
        Self::new(name, Space::Evictable, Content::Value)
    }

    /// Makes a kind of values that the store keeps until their TTL ends.
    ///
    /// # Panics
    /// As [`evictable`](Self::evictable) does.
    pub const fn pinned(name: &'static str) -> Self {
        Self::new(name, Space::Pinned, Content::Value)
    }

    /// Makes a kind of records, which programs work on.
    ///
    /// The store keeps them until their TTL ends.
    ///
    /// # Panics
    /// As [`evictable`](Self::evictable) does.
    pub const fn record(name: &'static str) -> Self {
        Self::new(name, Space::Pinned, Content::Record)
    }

    const fn new(name: &'static str, space: Space, content: Content) -> Self {
        assert!(
            is_name(name),
            "a kind is 1 to 32 of a-z, 0-9, '-', '_' and '.'"
        );
        Self {
            name,
            space,
            content,
            is_partitioned: false,
            has_consistent_reads: false,
        }
    }

    /// Makes the first component of each id the name of a partition.
    ///
    /// A store with a cap on a kind applies it to each partition separately, so that a flood in one takes
    /// no room from the others. Take the names from the app, never from a visitor: a store keeps a
    /// limited number of partitions apart, and the rest share one.
    ///
    /// ```
    /// use larder_store::{Key, Kind};
    ///
    /// const LIMIT: Kind = Kind::record("limit").partitioned();
    /// assert_eq!(Key::new(LIMIT, ("pages", 7_u32)).partition(), Some("pages"));
    /// ```
    #[must_use]
    pub const fn partitioned(mut self) -> Self {
        self.is_partitioned = true;
        self
    }

    /// Makes reads of the kind go where its writes go, and never to a copy that may be older.
    ///
    /// A store that may read copies, such as replicas of a Redis server, then asks the server that takes the
    /// writes. Use it for data that other processes change and that decisions depend on.
    #[must_use]
    pub const fn with_consistent_reads(mut self) -> Self {
        self.has_consistent_reads = true;
        self
    }

    /// Returns the name, which every key of the kind contains.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the space of the kind, which says whether the store may evict its keys.
    pub const fn space(self) -> Space {
        self.space
    }

    /// Returns whether the first component of an id names a [partition](Self::partitioned).
    pub const fn is_partitioned(self) -> bool {
        self.is_partitioned
    }

    /// Returns whether [copies may not be read](Self::with_consistent_reads).
    pub const fn has_consistent_reads(self) -> bool {
        self.has_consistent_reads
    }

    /// Returns the content of the kind's keys.
    pub const fn content(self) -> Content {
        self.content
    }
}

impl PartialEq for Kind {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // It is nearly always the same constant; then its bytes need not be compared.
        std::ptr::eq(self.name, other.name) || self.name == other.name
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}
