use std::fmt;
use std::str::FromStr;

/// Something that an app uses its servers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Cached values and responses, which may be evicted.
    Cache,
    /// Rate limits.
    Limits,
    /// Locks, and leases of loads.
    Locks,
    /// Jobs and events, which must survive a restart.
    Queue,
    /// Sessions, which should survive a restart.
    Sessions,
}

/// Everything that an app uses its servers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    needs_noeviction: bool,
    needs_persistence: bool,
}

impl Use {
    const NAMES: [(&'static str, Self); 5] = [
        ("cache", Self::Cache),
        ("limits", Self::Limits),
        ("locks", Self::Locks),
        ("queue", Self::Queue),
        ("sessions", Self::Sessions),
    ];
}

impl Uses {
    /// Everything that larder offers: the strictest expectations.
    pub const ALL: Self = Self {
        needs_noeviction: true,
        needs_persistence: true,
    };

    /// Collects the uses of an app.
    pub fn new(uses: impl IntoIterator<Item = Use>) -> Self {
        let none = Self {
            needs_noeviction: false,
            needs_persistence: false,
        };
        uses.into_iter().fold(none, |all, one| Self {
            needs_noeviction: all.needs_noeviction || one != Use::Cache,
            needs_persistence: all.needs_persistence || matches!(one, Use::Queue | Use::Sessions),
        })
    }

    /// Returns whether a key that the server evicts is a loss.
    pub fn needs_noeviction(self) -> bool {
        self.needs_noeviction
    }

    /// Returns whether the keys must survive a restart of the server.
    pub fn needs_persistence(self) -> bool {
        self.needs_persistence
    }
}

/// The error of a word that names no [`Use`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownUse;

impl fmt::Display for UnknownUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected cache, limits, locks, queue or sessions")
    }
}

impl std::error::Error for UnknownUse {}

impl FromStr for Use {
    type Err = UnknownUse;

    fn from_str(text: &str) -> Result<Self, UnknownUse> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, found)| *found).ok_or(UnknownUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_alone_needs_neither_noeviction_nor_persistence() {
        let cache = Uses::new([Use::Cache]);
        assert!(!cache.needs_noeviction() && !cache.needs_persistence());
        let limits = Uses::new([Use::Cache, Use::Limits]);
        assert!(limits.needs_noeviction() && !limits.needs_persistence());
        assert_eq!(Uses::new([Use::Sessions]), Uses::ALL);
        assert_eq!("queue".parse(), Ok(Use::Queue));
        assert_eq!("queues".parse::<Use>(), Err(UnknownUse));
    }
}
