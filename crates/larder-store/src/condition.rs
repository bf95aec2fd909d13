use crate::Version;

/// The condition of a put or a delete.
///
/// The test and the write are one atomic step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Writes or deletes unconditionally.
    Always,
    /// Only if the key is absent. A delete with this condition never does anything.
    IfAbsent,
    /// Only if the key is present.
    IfPresent,
    /// Only if the key's value has this version.
    IfVersion(Version),
}

impl Condition {
    /// Returns whether a key that holds `current` meets the condition.
    pub fn is_met_by(self, current: Option<Version>) -> bool {
        match self {
            Self::Always => true,
            Self::IfAbsent => current.is_none(),
            Self::IfPresent => current.is_some(),
            Self::IfVersion(version) => current == Some(version),
        }
    }
}
