//! The arguments of drawn operations.

use larder_store::program::Record;
use larder_store::{Key, Ttl};
use larder_test::records::{Journal, Tally};

/// The key of an operation: one of a few, or sometimes a wrong one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Id {
    /// The key of a value.
    Value(u8),
    /// The key of a record.
    Record(u8),
}

/// A condition. A version is that of an earlier put on the same key, counted back from the last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Always,
    IfAbsent,
    IfPresent,
    IfVersion(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: Id,
    pub(crate) value: Content,
    pub(crate) ttl: Ttl,
    pub(crate) when: When,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    TooLarge,
}

pub(super) fn tally(id: u8) -> Key {
    Key::new(Tally::KIND, id)
}

pub(super) fn journal(id: u8) -> Key {
    Key::new(Journal::KIND, id)
}
