use std::fmt;

use bytes::Bytes;

use crate::Version;

/// What a key holds: a value and the version of the write that put it there.
///
/// `Debug` shows the length of the value, never the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, as it was put.
    pub value: Bytes,
    /// Which write put it there.
    pub version: Version,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("bytes", &self.value.len())
            .field("version", &self.version)
            .finish()
    }
}
