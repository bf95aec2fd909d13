use crate::{Condition, Key, Version};

/// One removal: a key, and on what condition.
#[derive(Clone, Debug)]
pub struct Delete {
    key: Key,
    condition: Condition,
}

impl Delete {
    /// An unconditional removal.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            condition: Condition::Always,
        }
    }

    /// The same removal, only if the key still holds what `version` names.
    #[must_use]
    pub fn if_version(self, version: Version) -> Self {
        self.on(Condition::IfVersion(version))
    }

    /// The same removal on `condition`.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// The same removal of another key, for decorators.
    #[must_use]
    pub fn at(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// The key that is removed.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// On what condition it is removed.
    pub fn condition(&self) -> Condition {
        self.condition
    }
}
