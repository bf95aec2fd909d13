//! The methods that requests of a store share.

/// Adds the key of a request.
macro_rules! keyed {
    ($request:ident) => {
        impl $request {
            /// Sets the key, for decorators.
            #[must_use]
            pub fn at(mut self, key: $crate::Key) -> Self {
                self.key = key;
                self
            }

            /// Returns the key.
            pub fn key(&self) -> &$crate::Key {
                &self.key
            }
        }
    };
}

/// Adds the condition of a request.
macro_rules! conditional {
    ($request:ident) => {
        impl $request {
            /// Makes the request conditional: the key must hold `version`.
            #[must_use]
            pub fn if_version(self, version: $crate::Version) -> Self {
                self.on($crate::Condition::IfVersion(version))
            }

            /// Sets the condition.
            #[must_use]
            pub fn on(mut self, condition: $crate::Condition) -> Self {
                self.condition = condition;
                self
            }

            /// Returns the condition.
            pub fn condition(&self) -> $crate::Condition {
                self.condition
            }
        }
    };
}

pub(crate) use {conditional, keyed};
