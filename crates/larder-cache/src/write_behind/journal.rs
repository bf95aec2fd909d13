use std::collections::BTreeMap;

use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

/// The journal of the writes that wait, by key.
///
/// On Redis it is four keys: a hash of writes, a sorted set that says when each is due, a hash of dead
/// letters, and the last version. A write that is taken is due when the take ends.
#[derive(Default)]
pub struct Journal {
    waiting: BTreeMap<Vec<u8>, Waiting>,
    dead: BTreeMap<Vec<u8>, Waiting>,
    last: i64,
}

struct Waiting {
    version: i64,
    attempts: i64,
    due: i64,
    value: Vec<u8>,
}

impl Record for Journal {
    const KIND: Kind = Kind::record("write-behind");
    const PARTS: &'static [&'static str] = &["", ":due", ":dead", ":last"];

    type Inspect = InspectJournal;
}

impl Journal {
    /// Returns when the first write is due, or -1.
    fn next(&self) -> i64 {
        self.waiting.values().map(|it| it.due).min().unwrap_or(-1)
    }
}

macro_rules! script {
    ($name:literal, $effect:ident, $file:literal) => {
        &Script::new(
            $name,
            Effect::$effect,
            concat!(include_str!("journal.lua"), include_str!($file)),
        )
    };
}

fn kept(micros: i64) -> Ttl {
    Ttl::covering_micros(micros)
}

/// Adds a write, or replaces the value of one that waits. Returns its version; None if it is full.
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

    const SCRIPT: &'static Script = script!("write-behind-push", Once, "push.lua");

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
        journal.last += 1;
        journal.dead.remove(&self.key);
        let due = journal
            .waiting
            .get(&self.key)
            .map_or(now.as_micros(), |it| it.due);
        let waiting = Waiting {
            version: journal.last,
            attempts: 0,
            due,
            value: self.value.clone(),
        };
        journal.waiting.insert(self.key.clone(), waiting);
        Some(journal.last)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        Ok(Some(wire.int()?).filter(|version| *version > 0))
    }
}

/// A write that was taken, or a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) key: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) attempts: i64,
    pub(crate) value: Vec<u8>,
}

/// The result of a take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Until when they are taken.
    pub(crate) until: i64,
    /// When the next write is due, or -1.
    pub(crate) next: i64,
    pub(crate) writes: Vec<Taken>,
}

/// Takes writes that are due, for a while.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) count: i64,
    pub(crate) hold: i64,
    pub(crate) keep: i64,
}

impl Program for Take {
    type Record = Journal;
    type Reply = Batch;

    const SCRIPT: &'static Script = script!("write-behind-take", Once, "take.lua");

    fn args(&self, args: &mut Args) {
        args.int(self.count);
        args.int(self.hold);
        args.int(self.keep);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Batch {
        let now = now.as_micros();
        let until = now + self.hold;
        let mut due: Vec<_> = record
            .get()
            .into_iter()
            .flat_map(|it| &it.waiting)
            .filter(|(_, it)| it.due <= now)
            .map(|(key, it)| (it.due, key.clone()))
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(self.count).unwrap_or(0));
        if due.is_empty() {
            let next = record.get().map_or(-1, Journal::next);
            return Batch {
                until,
                next,
                writes: Vec::new(),
            };
        }
        let mut writes = Vec::with_capacity(due.len());
        let mut next = -1;
        if let Some(journal) = record.update(kept(self.keep)) {
            for (_, key) in due {
                if let Some(it) = journal.waiting.get_mut(&key) {
                    it.attempts += 1;
                    it.due = until;
                    writes.push(Taken {
                        key,
                        version: it.version,
                        attempts: it.attempts,
                        value: it.value.clone(),
                    });
                }
            }
            next = journal.next();
        }
        Batch {
            until,
            next,
            writes,
        }
    }

    fn reply(&self, wire: Wire) -> Result<Batch> {
        let [until, next, writes] = wire.array()?;
        Ok(Batch {
            until: until.int()?,
            next: next.int()?,
            writes: writes
                .list()?
                .into_iter()
                .map(taken)
                .collect::<Result<_>>()?,
        })
    }
}

fn taken(wire: Wire) -> Result<Taken> {
    let [key, version, attempts, value] = wire.array()?;
    Ok(Taken {
        key: key.bytes()?.to_vec(),
        version: version.int()?,
        attempts: attempts.int()?,
        value: value.bytes()?.to_vec(),
    })
}

/// Says what became of a write that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) key: Vec<u8>,
    /// Until when it was taken.
    pub(crate) until: i64,
    pub(crate) version: i64,
    pub(crate) is_written: bool,
    pub(crate) retry: i64,
    pub(crate) max_attempts: i64,
    pub(crate) keep: i64,
}

/// The result of a [`Settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It came too late: another one has the write by now.
    Late,
    Done,
    /// It was tried too often, and is a dead letter now.
    Dead,
}

impl Program for Settle {
    type Record = Journal;
    type Reply = Settled;

    const SCRIPT: &'static Script = &Script::new(
        "write-behind-settle",
        Effect::Once,
        concat!(include_str!("journal.lua"), include_str!("settle.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.int(self.until);
        args.int(self.version);
        args.int(self.is_written.into());
        args.int(self.retry);
        args.int(self.max_attempts);
        args.int(self.keep);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Settled {
        let is_held = |it: &Journal| {
            let held = it.waiting.get(&self.key);
            held.is_some_and(|held| held.due == self.until)
        };
        if !record.get().is_some_and(is_held) {
            return Settled::Late;
        }
        let Some(journal) = record.update(kept(self.keep)) else {
            return Settled::Late;
        };
        let Some(held) = journal.waiting.get_mut(&self.key) else {
            return Settled::Late;
        };
        let is_last = held.version == self.version;
        if self.is_written && is_last {
            journal.waiting.remove(&self.key);
        } else if self.is_written {
            held.due = now.as_micros();
        } else if is_last && held.attempts >= self.max_attempts {
            if let Some((key, held)) = journal.waiting.remove_entry(&self.key) {
                journal.dead.insert(key, held);
            }
            return Settled::Dead;
        } else {
            held.due = now.as_micros() + self.retry;
        }
        Settled::Done
    }

    fn reply(&self, wire: Wire) -> Result<Settled> {
        match wire.int()? {
            0 => Ok(Settled::Late),
            1 => Ok(Settled::Done),
            2 => Ok(Settled::Dead),
            _ => Err(Wire::unexpected("what became of a write")),
        }
    }
}

/// Returns the value that waits under a key.
#[derive(Clone, Debug)]
pub(crate) struct Pending(pub(crate) Vec<u8>);

impl Program for Pending {
    type Record = Journal;
    type Reply = Option<Vec<u8>>;

    const SCRIPT: &'static Script = script!("write-behind-pending", Read, "pending.lua");

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

/// Returns the dead letters, by key.
#[derive(Clone, Debug)]
pub(crate) struct Dead;

impl Program for Dead {
    type Record = Journal;
    type Reply = Vec<Taken>;

    const SCRIPT: &'static Script = script!("write-behind-dead", Read, "dead.lua");

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Vec<Taken> {
        let dead = record.get().into_iter().flat_map(|it| &it.dead);
        dead.map(|(key, it)| Taken {
            key: key.clone(),
            version: it.version,
            attempts: it.attempts,
            value: it.value.clone(),
        })
        .collect()
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Taken>> {
        let mut dead: Vec<_> = wire.list()?.into_iter().map(taken).collect::<Result<_>>()?;
        dead.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(dead)
    }
}

/// Tries a dead letter again, or discards it. Returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Bury {
    pub(crate) key: Vec<u8>,
    pub(crate) tries_again: bool,
    pub(crate) keep: i64,
}

impl Program for Bury {
    type Record = Journal;
    type Reply = bool;

    const SCRIPT: &'static Script = script!("write-behind-bury", Once, "bury.lua");

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.int(self.tries_again.into());
        args.int(self.keep);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> bool {
        if !record
            .get()
            .is_some_and(|it| it.dead.contains_key(&self.key))
        {
            return false;
        }
        let Some(journal) = record.update(kept(self.keep)) else {
            return false;
        };
        let Some((key, mut it)) = journal.dead.remove_entry(&self.key) else {
            return false;
        };
        if self.tries_again {
            (it.attempts, it.due) = (0, now.as_micros());
            journal.waiting.insert(key, it);
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}

/// Shows how many writes wait, how many are dead, the last version, and when the next is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectJournal;

impl Program for InspectJournal {
    type Record = Journal;
    type Reply = Inspection;

    const SCRIPT: &'static Script = script!("write-behind-inspect", Read, "inspect.lua");

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
