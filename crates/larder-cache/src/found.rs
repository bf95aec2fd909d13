use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::tags::Tag;
use larder_store::Ttl;

use crate::envelope::TagMarks;

/// A value, where it came from, and how old it is.
///
/// It dereferences to the value. `Debug` shows only the source and the age.
#[non_exhaustive]
pub struct Found<V> {
    /// The value.
    pub value: Arc<V>,
    /// Where it came from.
    pub source: Source,
    /// The time since its load began, or since it was inserted.
    pub age: Duration,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The near tier, without a wait.
    Near,
    /// The far store, read by this caller or by the one that it waited for.
    Far,
    /// The loader, which ran for this caller.
    Loaded,
    /// The loader, which ran for another caller; this one waited for it.
    Coalesced,
    /// The cache, near or far, when the value was no longer fresh: a load failed or is slow, or the
    /// caller allowed it.
    Stale,
}

impl<V> Found<V> {
    pub(crate) fn new(value: Arc<V>, source: Source, age: Duration) -> Self {
        Self { value, source, age }
    }

    /// Returns the value as a caller gets it that waited for another caller's load.
    pub(crate) fn for_a_follower(mut self) -> Self {
        if self.source == Source::Loaded {
            self.source = Source::Coalesced;
        }
        self
    }
}

impl Source {
    /// Returns a lower-case word for a header or a log, such as `near` or `loaded`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
            Self::Loaded => "loaded",
            Self::Coalesced => "coalesced",
            Self::Stale => "stale",
        }
    }

    /// Returns whether the value was cached, near or far, so that no loader ran for it.
    pub const fn is_hit(self) -> bool {
        matches!(self, Self::Near | Self::Far | Self::Stale)
    }
}

/// What a loader returns: a value, and how it may be kept.
///
/// A plain value converts into one that is kept for the cache's TTL. An `Option` converts too: a
/// `None` is [`not_found`](Self::not_found).
pub struct Loaded<V> {
    pub(crate) value: Value<V>,
    pub(crate) keep: Keep,
    pub(crate) tags: Vec<Tag>,
}

/// The result of a load.
pub(crate) enum Value<V> {
    New(V),
    /// The value that was cached before, and its tags, which it keeps unless it is given new ones.
    Same(Arc<V>, TagMarks),
    NotFound,
}

/// How long a loaded value is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// For the cache's TTL.
    Usual,
    /// For a TTL of its own.
    For(Ttl),
    /// Not at all.
    Not,
}

impl<V> Loaded<V> {
    /// Makes a value that is kept for the cache's TTL.
    pub fn new(value: V) -> Self {
        Self::of(Value::New(value))
    }

    /// Reports that the source has no such value.
    ///
    /// The callers get [`LoadError::NotFound`](crate::LoadError::NotFound), and a cached value is
    /// removed, not served stale. The absence is cached for
    /// [`with_negative_ttl`](crate::CacheBuilder::with_negative_ttl), if that is set.
    pub fn not_found() -> Self {
        Self::of(Value::NotFound)
    }

    pub(crate) fn of(value: Value<V>) -> Self {
        Self {
            value,
            keep: Keep::Usual,
            tags: Vec::new(),
        }
    }

    /// Returns the value, or None if there is none, and its tags.
    pub(crate) fn into_parts(self) -> (Option<Arc<V>>, Vec<Tag>) {
        match self.value {
            Value::New(value) => (Some(Arc::new(value)), self.tags),
            Value::Same(value, marks) if self.tags.is_empty() => {
                (Some(value), marks.tags().collect())
            }
            Value::Same(value, _) => (Some(value), self.tags),
            Value::NotFound => (None, self.tags),
        }
    }

    pub(crate) fn has_usual_ttl(&self) -> bool {
        matches!(self.keep, Keep::Usual)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self.value, Value::NotFound)
    }

    /// Keeps the value for a TTL of its own, shorter or longer than the cache's.
    ///
    /// Jitter and the near TTL apply to it too. For [`not_found`](Self::not_found) it replaces the
    /// negative TTL.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Ttl) -> Self {
        self.keep = Keep::For(ttl);
        self
    }

    /// Adds tags, which let you invalidate the value together with others: see
    /// [`remove_tag`](crate::Cache::remove_tag).
    ///
    /// A value carries at most 16 tags, one fewer in a cache with
    /// [`with_clear`](crate::CacheBuilder::with_clear); a value with more is not kept. A tag may be
    /// any text of any length. Tags are read before the value is stored, in one round trip.
    #[must_use]
    pub fn with_tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        let tags = tags.into_iter().map(|tag| Tag::new(tag.as_ref()));
        // Enough to see that there are too many.
        self.tags.extend(tags.take(10 * TagMarks::MAX));
        self
    }

    /// Returns the value to the callers that are waiting for it, and does not keep it.
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.keep = Keep::Not;
        self
    }
}

impl<V> From<V> for Loaded<V> {
    fn from(value: V) -> Self {
        Self::new(value)
    }
}

impl<V> From<Option<V>> for Loaded<V> {
    fn from(value: Option<V>) -> Self {
        value.map_or_else(Self::not_found, Self::new)
    }
}

impl<V> fmt::Debug for Loaded<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            source: self.source,
            age: self.age,
        }
    }
}

impl<V> Deref for Found<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V> fmt::Debug for Found<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("source", &self.source)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}
