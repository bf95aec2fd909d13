use crate::{Condition, Key, Version};

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

    /// Deletes only if the key holds `version`.
    #[must_use]
    pub fn if_version(self, version: Version) -> Self {
        self.on(Condition::IfVersion(version))
    }

    /// Sets the condition.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Sets the key, for decorators.
    #[must_use]
    pub fn at(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Returns the key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the condition.
    pub fn condition(&self) -> Condition {
        self.condition
    }
}
