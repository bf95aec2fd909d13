use std::collections::{BTreeMap, BTreeSet};

use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

use crate::envelope::Form;

macro_rules! script {
    ($name:literal, $effect:ident, $file:literal) => {
        Script::new(
            $name,
            Effect::$effect,
            concat!(include_str!("journal.lua"), include_str!($file)),
        )
    };
}

mod dead;
mod settle;
mod take;

pub(crate) use dead::{Bury, DeadAt, DeadKeys};
pub(crate) use settle::{Outcome, Settle, Settled};
pub(crate) use take::{Take, Taken};

/// The journal of the writes that wait, by key.
///
/// On Redis it is seven keys: a hash of writes, a sorted set of the time at which each is due, a hash
/// of dead letters, the last version, a sorted set of the time since which each write waits, one of the writes
/// that are left for another release, by their form and key, and one of the time since which each is left. A
/// taken write is due when the take ends.
#[derive(Default)]
pub struct Journal {
    waiting: BTreeMap<Vec<u8>, Waiting>,
    /// When each write that waits is due, except those that are left.
    due: Moments,
    /// The time since which each of them waits.
    since: Moments,
    /// Those that workers of another form have left, by their form and key.
    left: BTreeSet<Vec<u8>>,
    /// The time since which each of them is left.
    left_since: Moments,
    dead: BTreeMap<Vec<u8>, Waiting>,
    last: i64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("waiting", &self.waiting.len())
            .field("dead", &self.dead.len())
            .finish_non_exhaustive()
    }
}

/// Keys ordered by a moment, like a sorted set of Redis: so a step looks only at the writes that it
/// takes.
type Moments = BTreeSet<(i64, Vec<u8>)>;

struct Waiting {
    version: i64,
    attempts: i64,
    /// None if it is left for a worker of its form.
    due: Option<i64>,
    /// When the source last had the current value of its key.
    since: i64,
    /// When a worker that cannot read it saw it first, since the last failed attempt.
    left_since: Option<i64>,
    value: Vec<u8>,
}

impl Record for Journal {
    const KIND: Kind = Kind::record("write-behind");
    const PARTS: &'static [&'static str] =
        &["", "due", "dead", "last", "since", "left", "left-since"];

    type Inspect = InspectJournal;
}

impl Journal {
    /// Returns when the first write is due, or -1.
    fn next(&self) -> i64 {
        self.due.first().map_or(-1, |(due, _)| *due)
    }

    /// Returns the time since which the oldest write waits, or -1.
    fn oldest(&self) -> i64 {
        self.since.first().map_or(-1, |(since, _)| *since)
    }

    /// Adds a write that waits, or replaces that of its key.
    fn insert(&mut self, key: Vec<u8>, it: Waiting) {
        self.remove(&key);
        match it.due {
            Some(due) => self.due.insert((due, key.clone())),
            None => self.left.insert(it.name(&key)),
        };
        if let Some(since) = it.left_since {
            self.left_since.insert((since, key.clone()));
        }
        self.since.insert((it.since, key.clone()));
        self.waiting.insert(key, it);
    }

    fn remove(&mut self, key: &[u8]) -> Option<Waiting> {
        let (key, it) = self.waiting.remove_entry(key)?;
        self.left.remove(&it.name(&key));
        self.since.remove(&(it.since, key.clone()));
        if let Some(since) = it.left_since {
            self.left_since.remove(&(since, key.clone()));
        }
        if let Some(due) = it.due {
            self.due.remove(&(due, key));
        }
        Some(it)
    }
}

impl Waiting {
    fn form(&self) -> Form {
        Form::of(&self.value)
    }

    /// Returns its name among those that are left.
    fn name(&self, key: &[u8]) -> Vec<u8> {
        [self.form().as_bytes(), key].concat()
    }
}

fn kept(micros: i64) -> Ttl {
    Ttl::covering_micros(micros)
}

/// Adds a write, or replaces the value of a waiting one. Returns its version; None if the journal is
/// full.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) cap: i64,
    pub(crate) keep: i64,
}

impl Program for Push {
    type Record = Journal;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &script!("write-behind-push", Once, "push.lua");

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.bytes(&self.value);
        args.int(self.cap);
        args.int(self.keep);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Option<i64> {
        let count = record
            .get()
            .map_or(0, |it| it.waiting.len() + it.dead.len());
        let is_known = record.get().is_some_and(|it| {
            it.waiting.contains_key(&self.key) || it.dead.contains_key(&self.key)
        });
        if !is_known && i64::try_from(count).unwrap_or(i64::MAX) >= self.cap {
            return None;
        }
        if record.get().is_none() {
            record.put(Journal::default(), kept(self.keep));
        }
        let journal = record.update(kept(self.keep))?;
        let now = now.as_micros();
        journal.last = now.max(journal.last + 1);
        journal.dead.remove(&self.key);
        let held = journal.waiting.get(&self.key);
        let due = held.and_then(|it| it.due).or(Some(now));
        let since = held.map_or(now, |it| it.since);
        let waiting = Waiting {
            version: journal.last,
            attempts: 0,
            due,
            since,
            left_since: None,
            value: self.value.clone(),
        };
        journal.insert(self.key.clone(), waiting);
        Some(journal.last)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        Ok(Some(wire.int()?).filter(|version| *version > 0))
    }
}

/// Returns the value that waits under a key.
#[derive(Clone, Debug)]
pub(crate) struct Pending(pub(crate) Vec<u8>);

impl Program for Pending {
    type Record = Journal;
    type Reply = Option<Vec<u8>>;

    const SCRIPT: &'static Script = &script!("write-behind-pending", Read, "pending.lua");

    fn args(&self, args: &mut Args) {
        args.bytes(&self.0);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Option<Vec<u8>> {
        record
            .get()?
            .waiting
            .get(&self.0)
            .map(|it| it.value.clone())
    }

    fn reply(&self, wire: Wire) -> Result<Option<Vec<u8>>> {
        match wire {
            Wire::Nil => Ok(None),
            wire => Ok(Some(wire.bytes()?.to_vec())),
        }
    }
}

/// Shows how many writes wait, how many are dead, the last version, and when the next is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectJournal;

impl Program for InspectJournal {
    type Record = Journal;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &script!("write-behind-inspect", Read, "inspect.lua");

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(it) => Inspection::new()
                .with("waiting", it.waiting.len())
                .with("dead", it.dead.len())
                .with("last", it.last)
                .with("next_us", it.next()),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
