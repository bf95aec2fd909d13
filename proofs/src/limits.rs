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

/// Something that can be chosen about how far a proof goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The area to change, with its parts.
    Area,
    /// The number of inputs.
    Inputs,
    /// The number of rounds.
    Rounds,
    /// The longest time of a row.
    Seconds,
}

impl Choice {
    /// Returns how it is written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Area => "AREA",
            Self::Inputs => "--inputs",
            Self::Rounds => "--rounds",
            Self::Seconds => "--seconds",
        }
    }
}

impl Limits {
    /// Returns what was chosen.
    pub fn chosen(&self) -> impl Iterator<Item = Choice> {
        let chosen = [
            (Choice::Area, self.area.is_some()),
            (Choice::Inputs, self.inputs.is_some()),
            (Choice::Rounds, self.rounds.is_some()),
            (Choice::Seconds, self.time.is_some()),
        ];
        let chosen = chosen.into_iter().filter(|(_, is_chosen)| *is_chosen);
        chosen.map(|(choice, _)| choice)
    }
}
