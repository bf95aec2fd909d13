use std::time::Duration;

use crate::mutants::Shard;

/// How far a proof goes, where that can be chosen. None means the proof's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The number of inputs.
    pub inputs: Option<u64>,
    /// The number of kills and pauses.
    pub rounds: Option<u64>,
    /// The longest time of one row.
    pub time: Option<Duration>,
    /// The name of the area to mutate. None only makes the table of what is known.
    pub area: Option<&'static str>,
    /// The part of the area's mutants.
    pub shard: Option<Shard>,
    /// Whether only the mutants run that the last run did not catch.
    pub again: bool,
}
