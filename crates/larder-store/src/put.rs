use std::fmt;

use bytes::Bytes;

use crate::request::{conditional, keyed};
use crate::{Condition, Key, Ttl, Version};

/// The default maximum length of a value: 16 MiB.
pub const DEFAULT_MAX_VALUE: usize = 16 * 1024 * 1024;

/// A request to write a value, with its TTL and a condition.
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
    /// Writes `value` for `ttl`, unconditionally.
    pub fn new(key: Key, value: impl Into<Bytes>, ttl: Ttl) -> Self {
        Self {
            key,
            value: value.into(),
            ttl,
            condition: Condition::Always,
            version: Version::random(),
        }
    }

    /// Writes only if the key is absent.
    #[must_use]
    pub fn if_absent(self) -> Self {
        self.on(Condition::IfAbsent)
    }

    /// Writes only if the key is present.
    #[must_use]
    pub fn if_present(self) -> Self {
        self.on(Condition::IfPresent)
    }

    /// Returns the value.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// Returns how long the value lives, from the moment when the store writes it.
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Returns the version that the stored value will have.
    pub fn version(&self) -> Version {
        self.version
    }
}

keyed!(Put);
conditional!(Put);

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
