use std::fmt;

use bytes::Bytes;

use crate::{Kind, Version};

/// The value of a key, and the version of the write that stored it.
///
/// `Debug` shows the length of the value, never the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// The version of the write that stored the value.
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

/// Counts stored bytes that could not be read, which the caller treats as a miss.
///
/// The counter is `larder_poisoned_total`, labelled with the kind of the key. It stays at zero
/// unless someone else writes into the store, or two versions of an app disagree.
pub fn count_poisoned(kind: Kind) {
    metrics::counter!("larder_poisoned_total", "kind" => kind.name()).increment(1);
}
