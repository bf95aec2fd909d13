//! The record of a visitor under a policy of more than one quota, and the programs on it.

mod answer;
mod live;
mod programs;
mod rule_args;
mod state;
#[cfg(test)]
mod traces;

use larder_store::program::prelude::*;
use smallvec::SmallVec;

use state::State;

pub(crate) use answer::Answer;
pub(crate) use programs::{BanArgs, Charge, Desk, HoldArgs, Peek, Rules, Settle, SettleArgs, Task};
pub(crate) use rule_args::RuleArgs;

/// The maximum number of holds of a record: reservations and permits.
pub(crate) const MAX_HOLDS: usize = 1_000;

/// What a visitor has used of each rule of its policy, what it holds, and whether it is banned.
///
/// On Redis it is one string, whose TTL ends when all of it is back. Each policy is a
/// [partition](Kind::partitioned) of the kind.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    banned_until: i64,
    /// The end of the time in which refusals are counted.
    counted_until: i64,
    refusals: i64,
    holds: Vec<Hold>,
    states: SmallVec<[State; 1]>,
}

/// A reservation or a permit.
#[derive(Clone, Copy, Debug)]
struct Hold {
    id: i64,
    ends: i64,
    units: i64,
}

record! {
    Usage, Kind::record("limit-usage").partitioned();
    /// Shows the ban, the holds and the state of each rule to people and tools.
    #[derive(PartialEq, Eq)]
    pub InspectUsage = "limit-inspect",
    include_str!("lua/inspect.lua"),
    |usage, shown| usage.show(shown),
}

impl Usage {
    fn show(&self, shown: Inspection) -> Inspection {
        let shown = shown
            .with("banned_until_us", self.banned_until)
            .with("refusals", self.refusals)
            .with("refusals_until_us", self.counted_until);
        let shown = self.holds.iter().fold(shown, |shown, hold| {
            shown.with(format!("held until_us {}", hold.ends), hold.units)
        });
        let states = self.states.iter().enumerate();
        states.fold(shown, |shown, (i, state)| {
            shown.with(format!("rule {} {}", i + 1, state.tag()), state.shown())
        })
    }
}
