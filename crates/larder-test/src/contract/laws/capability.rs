use std::fmt;
use std::sync::Arc;

use larder_store::Store;

/// A capability of a store beside values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Atomic steps over records: [`Store::programs`].
    Programs,
    /// Waits for records: [`Store::waits`].
    Waits,
    /// The right to make the value of a key: [`Store::leases`].
    Leases,
    /// Messages: [`Store::bus`].
    Bus,
    /// Keys by prefix: [`Store::scan`].
    Scan,
}

impl Capability {
    /// Returns whether the store offers it.
    pub fn is_offered_by(self, store: &Arc<dyn Store>) -> bool {
        let store = store.clone();
        match self {
            Self::Programs => store.programs().is_some(),
            Self::Waits => store.waits().is_some(),
            Self::Leases => store.leases().is_some(),
            Self::Bus => store.bus().is_some(),
            Self::Scan => store.scan().is_some(),
        }
    }
}

/// As it is written in [`laws!`](crate::laws!).
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Programs => "programs",
            Self::Waits => "waits",
            Self::Leases => "leases",
            Self::Bus => "bus",
            Self::Scan => "scan",
        })
    }
}
