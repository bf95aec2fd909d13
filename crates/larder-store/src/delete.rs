use crate::request::{conditional, keyed};
use crate::{Condition, Key};

/// A request to delete a key, with a condition.
#[derive(Clone, Debug)]
pub struct Delete {
    key: Key,
    condition: Condition,
}

impl Delete {
    /// Deletes `key` unconditionally.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            condition: Condition::Always,
        }
    }
}

keyed!(Delete);
conditional!(Delete);
