//! Compares what was acknowledged with what the source was given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A write that was acknowledged: the number of its key, and its own, which rises with each write of
/// the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The number of the key.
    pub key: u32,
    /// The number of the write.
    pub write: u64,
}

/// The writes that the source was given, by key, in its order.
pub type Given = BTreeMap<u32, Vec<u64>>;

/// What became of the writes of some rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that waited in the journal when the processes were dead.
    pub left: u64,
    /// Writes that the source was given.
    pub written: u64,
    /// Those that it had been given before, which is permitted.
    pub repeated: u64,
    /// Acknowledged writes that the source does not have, nor a later one of their key.
    pub lost: u64,
    /// Writes that the source was given after a later one of their key.
    pub disordered: u64,
}

impl Findings {
    /// Adds those of another round.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.left += other.left;
        self.written += other.written;
        self.repeated += other.repeated;
        self.lost += other.lost;
        self.disordered += other.disordered;
    }
}

/// Judges a round: what was acknowledged in it, and all that the source was given in it.
///
/// A write may be left out if a later one of its key was written: the journal replaces what waits. It
/// may be written twice. The source must end with the last that was acknowledged, or with a later one
/// whose acknowledgement was lost in the kill.
#[must_use]
pub fn judge(acknowledged: &[Acknowledged], given: &Given) -> Findings {
    let mut findings = Findings {
        acknowledged: acknowledged.len() as u64,
        ..Findings::default()
    };
    for writes in given.values() {
        findings.written += writes.len() as u64;
        for pair in writes.windows(2) {
            findings.repeated += u64::from(pair[0] == pair[1]);
            findings.disordered += u64::from(pair[0] > pair[1]);
        }
    }
    let is_lost = |one: &&Acknowledged| {
        let last = given.get(&one.key).and_then(|writes| writes.last());
        last.is_none_or(|last| *last < one.write)
    };
    findings.lost = acknowledged.iter().filter(is_lost).count() as u64;
    findings
}
