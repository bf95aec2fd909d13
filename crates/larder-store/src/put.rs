use std::fmt;

use bytes::Bytes;

use crate::{Condition, Key, Ttl, Version};

/// The largest value a store accepts unless it is told otherwise: 16 MiB.
pub const DEFAULT_MAX_VALUE: usize = 16 * 1024 * 1024;

/// One write: a key, a value, how long it lives, and on what condition.
///
/// The version is drawn here, before the write is sent, so that a put whose answer was lost can
/// be settled by reading it back. A `Put` that is sent twice is the same write twice; to write the
/// same value as a new write, make a new `Put`.
///
/// ```
/// use larder_store::{Condition, Key, Kind, Put, Ttl};
///
/// const GREETING: Kind = Kind::evictable("greeting");
/// let put = Put::new(Key::new(GREETING, "en"), "hello", Ttl::from_secs(60)).if_absent();
/// assert_eq!(put.condition(), Condition::IfAbsent);
/// ```
#[derive(Clone)]
pub struct Put {
    key: Key,
    value: Bytes,
    ttl: Ttl,
    condition: Condition,
    version: Version,
}

impl Put {
    /// An unconditional write of `value` that lives for `ttl`.
    pub fn new(key: Key, value: impl Into<Bytes>, ttl: Ttl) -> Self {
        Self {
            key,
            value: value.into(),
            ttl,
            condition: Condition::Always,
            version: Version::random(),
        }
    }

    /// The same write, only if the key is absent.
    #[must_use]
    pub fn if_absent(self) -> Self {
        self.on(Condition::IfAbsent)
    }

    /// The same write, only if the key is present.
    #[must_use]
    pub fn if_present(self) -> Self {
        self.on(Condition::IfPresent)
    }

    /// The same write, only if the key still holds what `version` names.
    #[must_use]
    pub fn if_version(self, version: Version) -> Self {
        self.on(Condition::IfVersion(version))
    }

    /// The same write on `condition`.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// The same write to another key, for decorators.
    #[must_use]
    pub fn at(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// The key that is written.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The value that is written.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// How long the value lives from the moment the store writes it.
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// On what condition it is written.
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// The version that the value has once it is written.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("key", &self.key)
            .field("bytes", &self.value.len())
            .field("ttl", &self.ttl)
            .field("condition", &self.condition)
            .field("version", &self.version)
            .finish()
    }
}
