use larder_store::program::{Args, Effect, Program, Record, Script, Slot, Wire};
use larder_store::{Result, Timestamp, count_poisoned};

use super::{Journal, kept};

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
    /// The writes are taken until then.
    pub(crate) until: i64,
    /// When the next write is due, or -1.
    pub(crate) next: i64,
    pub(crate) writes: Vec<Taken>,
    /// How many became dead letters, because their last process has not reported a result.
    pub(crate) dead: u64,
    /// How many writes wait, including those that are taken.
    pub(crate) waiting: i64,
    /// The time from which the oldest of them waits, or -1.
    pub(crate) oldest: i64,
}

impl Batch {
    fn of(journal: Option<&Journal>, until: i64, (writes, dead): (Vec<Taken>, u64)) -> Self {
        let waiting = journal.map_or(0, |it| it.waiting.len());
        Self {
            until,
            dead,
            next: journal.map_or(-1, Journal::next),
            writes,
            waiting: i64::try_from(waiting).unwrap_or(i64::MAX),
            oldest: journal.map_or(-1, Journal::oldest),
        }
    }
}

/// Takes due writes for a while. A write that was begun too often becomes a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) count: i64,
    pub(crate) max_attempts: i64,
    pub(crate) hold: i64,
    pub(crate) keep: i64,
}

impl Program for Take {
    type Record = Journal;
    type Reply = Batch;

    const SCRIPT: &'static Script =
        &script!("write-behind-take", Once, "take.lua").runs_when_full();

    fn args(&self, args: &mut Args) {
        args.int(self.count);
        args.int(self.hold);
        args.int(self.keep);
        args.int(self.max_attempts);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Batch {
        let now = now.as_micros();
        let until = now + self.hold;
        let count = usize::try_from(self.count).unwrap_or(0);
        let due = record.get().into_iter().flat_map(|it| &it.due);
        let due = due.take_while(|(due, _)| *due <= now).take(count);
        let due: Vec<_> = due.map(|(_, key)| key.clone()).collect();
        let (mut writes, mut dead) = (Vec::with_capacity(due.len()), 0);
        if !due.is_empty()
            && let Some(journal) = record.update(kept(self.keep))
        {
            for key in due {
                let Some(mut it) = journal.remove(&key) else {
                    continue;
                };
                if it.attempts >= self.max_attempts {
                    journal.dead.insert(key, it);
                    dead += 1;
                    continue;
                }
                (it.attempts, it.due) = (it.attempts + 1, until);
                writes.push(Taken {
                    key: key.clone(),
                    version: it.version,
                    attempts: it.attempts,
                    value: it.value.clone(),
                });
                journal.insert(key, it);
            }
        }
        Batch::of(record.get(), until, (writes, dead))
    }

    fn reply(&self, wire: Wire) -> Result<Batch> {
        let [until, next, writes, dropped, dead, waiting, oldest] = wire.array()?;
        for _ in 0..dropped.int()? {
            count_poisoned(Journal::KIND);
        }
        Ok(Batch {
            until: until.int()?,
            next: next.int()?,
            dead: dead.read()?,
            waiting: waiting.int()?,
            oldest: oldest.int()?,
            writes: writes
                .list()?
                .into_iter()
                .map(taken)
                .collect::<Result<_>>()?,
        })
    }
}

pub(super) fn taken(wire: Wire) -> Result<Taken> {
    let [key, version, attempts, value] = wire.array()?;
    Ok(Taken {
        key: key.bytes()?.to_vec(),
        version: version.int()?,
        attempts: attempts.int()?,
        value: value.bytes()?.to_vec(),
    })
}

/// Records the outcome of a taken write.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) key: Vec<u8>,
    /// The write was taken until then.
    pub(crate) until: i64,
    pub(crate) version: i64,
    pub(crate) outcome: Outcome,
    pub(crate) retry: i64,
    pub(crate) max_attempts: i64,
    pub(crate) keep: i64,
}

/// The end of an attempt of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Failed = 0,
    Written = 1,
    /// Another release wrote it, and it is left for that one: this was no attempt.
    Left = 2,
}

/// The result of a [`Settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It came too late: another worker has the write by now.
    Late,
    Done,
    /// It was tried too often, and is now a dead letter.
    Dead,
}

impl Program for Settle {
    type Record = Journal;
    type Reply = Settled;

    const SCRIPT: &'static Script =
        &script!("write-behind-settle", Once, "settle.lua").runs_when_full();

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.int(self.until);
        args.int(self.version);
        args.int(self.outcome as i64);
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
        let Some(mut held) = journal.remove(&self.key) else {
            return Settled::Late;
        };
        let is_last = held.version == self.version;
        let now = now.as_micros();
        let is_written = self.outcome == Outcome::Written;
        if is_written && is_last {
            return Settled::Done;
        }
        if self.outcome == Outcome::Failed && is_last && held.attempts >= self.max_attempts {
            journal.dead.insert(self.key.clone(), held);
            return Settled::Dead;
        }
        if self.outcome == Outcome::Left {
            held.attempts = (held.attempts - 1).max(0);
        }
        match is_written {
            true => (held.due, held.since) = (now, now),
            false => held.due = now + self.retry,
        }
        journal.insert(self.key.clone(), held);
        Settled::Done
    }

    fn reply(&self, wire: Wire) -> Result<Settled> {
        match wire.int()? {
            0 => Ok(Settled::Late),
            1 => Ok(Settled::Done),
            2 => Ok(Settled::Dead),
            _ => Err(Wire::unexpected("the outcome of a write")),
        }
    }
}
