use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::{Journal, kept};

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
    pub(crate) max_left: i64,
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
    /// It was tried too often, or left for too long, and is now a dead letter.
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
        args.int(self.max_left);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Settled {
        let is_held = |it: &Journal| {
            let held = it.waiting.get(&self.key);
            held.is_some_and(|held| held.due == Some(self.until))
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
        let mut is_dead = false;
        match self.outcome {
            Outcome::Written if is_last => return Settled::Done,
            Outcome::Written => (held.due, held.since) = (Some(now), now),
            Outcome::Failed => {
                is_dead = is_last && held.attempts >= self.max_attempts;
                (held.due, held.left_since) = (Some(now + self.retry), None);
            }
            Outcome::Left if is_last => {
                let since = *held.left_since.get_or_insert(now);
                is_dead = since <= now - self.max_left;
                held.attempts = (held.attempts - 1).max(0);
                held.due = Some(now + self.retry);
            }
            // Nobody has looked at the new value yet.
            Outcome::Left => held.due = Some(now),
        }
        if is_dead {
            journal.dead.insert(self.key.clone(), held);
            return Settled::Dead;
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
