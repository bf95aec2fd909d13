//! Finds the reads that returned what had been invalidated before them.

use std::collections::HashMap;
use std::time::Duration;

use super::event::{Event, What};

/// What a history shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Reads that returned a value.
    pub reads: u64,
    /// Invalidations that were acknowledged, counted for each key.
    pub invalidations: u64,
    /// Reads that began after an invalidation of their value was acknowledged.
    pub stale: u64,
    /// Stale reads in the process that had invalidated the value.
    pub stale_at_home: u64,
    /// Reads of a version that the source did not have, such as one of another key.
    pub invented: u64,
    /// The longest time from an acknowledgement to the beginning of a stale read.
    pub longest: Duration,
}

/// Judges a history of several processes.
///
/// A read is stale if an invalidation was acknowledged before the read began, and had itself begun when the source
/// had a later version than the one that was read. Calls that overlap have no order. A read is invented if it ended
/// before the source was given its version.
#[must_use]
pub fn judge(history: &[Event]) -> Findings {
    let mut findings = Findings::default();
    let mut everywhere: HashMap<u32, Line> = HashMap::new();
    let mut at_home: HashMap<(u32, u32), Line> = HashMap::new();
    let mut changed: HashMap<(u32, u64), u64> = HashMap::new();
    for event in history {
        if let What::Changed(version) = event.what {
            let first = changed.entry((event.key, version)).or_insert(event.began);
            *first = event.began.min(*first);
        }
        if let What::Invalidated(version) = event.what {
            findings.invalidations += 1;
            everywhere
                .entry(event.key)
                .or_default()
                .add(event.ended, version);
            at_home
                .entry((event.process, event.key))
                .or_default()
                .add(event.ended, version);
        }
    }
    everywhere.values_mut().for_each(Line::sort);
    at_home.values_mut().for_each(Line::sort);
    for event in history {
        let What::Read(version) = event.what else {
            continue;
        };
        findings.reads += 1;
        let first = changed.get(&(event.key, version));
        // Each key begins with the version 0.
        let was_there = version == 0 || first.is_some_and(|began| *began <= event.ended);
        findings.invented += u64::from(!was_there);
        let line = everywhere.get(&event.key);
        let Some(since) = line.and_then(|line| line.invalidated_at(version, event.began)) else {
            continue;
        };
        findings.stale += 1;
        let age = Duration::from_micros(event.began - since);
        findings.longest = findings.longest.max(age);
        let line = at_home.get(&(event.process, event.key));
        let is_at_home = line.and_then(|line| line.invalidated_at(version, event.began));
        findings.stale_at_home += u64::from(is_at_home.is_some());
    }
    findings
}

/// The acknowledged invalidations of a key: the time of each, and the version below which it made values stale.
#[derive(Default)]
struct Line(Vec<(u64, u64)>);

impl Line {
    fn add(&mut self, ended: u64, version: u64) {
        self.0.push((ended, version));
    }

    /// Puts them in the order of their ends, each with the latest version up to there.
    fn sort(&mut self) {
        self.0.sort_unstable();
        let mut latest = 0;
        for (_, version) in &mut self.0 {
            latest = latest.max(*version);
            *version = latest;
        }
    }

    /// Returns when the value of `version` was first invalidated, if that was before `moment`.
    fn invalidated_at(&self, version: u64, moment: u64) -> Option<u64> {
        let first = self.0.partition_point(|(_, latest)| *latest <= version);
        let (ended, _) = self.0.get(first)?;
        (*ended < moment).then_some(*ended)
    }
}
