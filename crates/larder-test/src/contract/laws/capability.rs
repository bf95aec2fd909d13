use std::fmt;
use std::sync::Arc;

use larder_store::Store;

/// An optional capability of a store, in addition to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Atomic steps on records: [`Store::programs`].
    Programs,
    /// Waits for records: [`Store::waits`].
    Waits,
    /// Leases of keys: [`Store::leases`].
    Leases,
    /// Messages: [`Store::bus`].
    Bus,
    /// Lists of keys by prefix: [`Store::scan`].
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

/// Shows the name that [`laws!`](crate::laws!) uses.
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
