use larder_store::program::{Args, Effect, Program, Record, Script, Slot, Wire};
use larder_store::{Result, Timestamp, count_poisoned};

use super::{Journal, Waiting, kept};
use crate::envelope::Form;

/// How many writes of other forms one take looks at, and how many of them it buries, at most.
const OTHERS: usize = 100;

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
    /// How many became dead letters: their last process has not reported a result, or they were left for too long.
    pub(crate) dead: u64,
    /// How many are now left for a worker of their form.
    pub(crate) left: u64,
    /// How many writes wait, including those that are taken or left.
    pub(crate) waiting: i64,
    /// The time from which the oldest of them waits, or -1.
    pub(crate) oldest: i64,
}

/// Takes due writes of one form for a while.
///
/// Writes of other forms are left for a worker that reads them. One that was left for too long, or that was begun
/// too often, becomes a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) count: i64,
    pub(crate) max_attempts: i64,
    pub(crate) form: Form,
    pub(crate) max_left: i64,
    pub(crate) hold: i64,
    pub(crate) keep: i64,
}

#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Left,
    Dead,
}

impl Take {
    /// Returns what becomes of the writes that it looks at.
    fn plan(&self, journal: &Journal, now: i64) -> Vec<(Vec<u8>, Fate)> {
        let is_mine = |it: &Waiting| it.form() == self.form;
        let mut room = usize::try_from(self.count).unwrap_or(0);
        let overdue = now - self.max_left;
        let others = journal.left_since.iter().take(OTHERS);
        let others = others.take_while(|(since, _)| *since <= overdue);
        let is_over = |key: &[u8]| {
            let it = journal.waiting.get(key);
            it.is_some_and(|it| it.due.is_none() && !is_mine(it))
        };
        let others = others.filter(|(_, key)| is_over(key));
        let mut plan: Vec<_> = others.map(|(_, key)| (key.clone(), Fate::Dead)).collect();

        let mine = self.form.as_bytes();
        let left = journal
            .left
            .range(mine.to_vec()..[&mine[..], b"\xff"].concat());
        let left = left.take(room).map(|name| &name[Form::LEN..]);
        let due = journal.due.iter().take_while(|(due, _)| *due <= now);
        let due = due.take(room + OTHERS).map(|(_, key)| key.as_slice());
        for key in left.chain(due) {
            if room == 0 {
                break;
            }
            let Some(it) = journal.waiting.get(key) else {
                continue;
            };
            let fate = match is_mine(it) {
                false => Fate::Left,
                true if it.attempts >= self.max_attempts => Fate::Dead,
                true => Fate::Taken,
            };
            room -= usize::from(matches!(fate, Fate::Taken));
            plan.push((key.to_vec(), fate));
        }
        plan
    }
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
        args.bytes(self.form.as_bytes());
        args.int(self.max_left);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> Batch {
        let now = now.as_micros();
        let until = now + self.hold;
        let plan = record.get().map(|journal| self.plan(journal, now));
        let plan = plan.unwrap_or_default();
        let (mut writes, mut dead, mut left) = (Vec::new(), 0, 0);
        if !plan.is_empty()
            && let Some(journal) = record.update(kept(self.keep))
        {
            for (key, fate) in plan {
                let Some(mut it) = journal.remove(&key) else {
                    continue;
                };
                match fate {
                    Fate::Dead => {
                        dead += 1;
                        journal.dead.insert(key, it);
                        continue;
                    }
                    Fate::Left => {
                        left += 1;
                        it.left_since = it.left_since.or(Some(now));
                        it.due = None;
                    }
                    Fate::Taken => {
                        (it.attempts, it.due) = (it.attempts + 1, Some(until));
                        writes.push(Taken {
                            key: key.clone(),
                            version: it.version,
                            attempts: it.attempts,
                            value: it.value.clone(),
                        });
                    }
                }
                journal.insert(key, it);
            }
        }
        let journal = record.get();
        let waiting = journal.map_or(0, |it| it.waiting.len());
        Batch {
            until,
            next: journal.map_or(-1, Journal::next),
            writes,
            dead,
            left,
            waiting: i64::try_from(waiting).unwrap_or(i64::MAX),
            oldest: journal.map_or(-1, Journal::oldest),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Batch> {
        let [until, next, writes, dropped, dead, left, waiting, oldest] = wire.array()?;
        for _ in 0..dropped.int()? {
            count_poisoned(Journal::KIND);
        }
        Ok(Batch {
            until: until.int()?,
            next: next.int()?,
            dead: dead.read()?,
            left: left.read()?,
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
