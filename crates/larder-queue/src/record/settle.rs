use std::sync::Arc;

use larder_store::program::prelude::*;

use super::dequeue::Taken;
use super::packed::Packed;
use super::work::{Work, Worked, work};
use super::{LEASED, QueueRecord, Settings};
use crate::Settled;

/// The number of ids of done jobs that one step forgets in addition to those that it adds.
const FORGOTTEN: usize = 64;

/// Carries out the decisions of holders, each if its fence is the newest of the job.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) settings: Settings,
    pub(crate) decisions: Vec<Decision>,
    /// The number of new jobs to take.
    pub(crate) take: u32,
}

/// The outcomes of decisions, and the new jobs.
#[derive(Clone, Debug)]
pub(crate) struct Exchanged {
    pub(crate) settled: Vec<Settled>,
    pub(crate) taken: Taken,
}

/// One decision.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) id: Arc<str>,
    pub(crate) fence: i64,
    pub(crate) operation: Operation,
    /// The delay or the lease, in microseconds.
    pub(crate) micros: i64,
    /// The reason or the progress.
    pub(crate) text: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Ack,
    Nack,
    Reject,
    Release,
    Extend,
    Progress,
}

impl Operation {
    fn letter(self) -> u8 {
        match self {
            Self::Ack => b'a',
            Self::Nack => b'n',
            Self::Reject => b'j',
            Self::Release => b'r',
            Self::Extend => b'e',
            Self::Progress => b'p',
        }
    }

    fn ends_the_lease(self) -> bool {
        !matches!(self, Self::Extend | Self::Progress)
    }
}

impl Arg for Decision {
    fn write(&self, args: &mut Args) {
        self.id.write(args);
        let packed = Packed::new().byte(self.operation.letter());
        let packed = packed.int(self.fence).int(self.micros);
        args.bytes(packed.text(self.text.as_bytes()).as_slice());
    }
}

impl FromWire for Exchanged {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (settled, at, lease_ends, next_in, jobs) = wire.read()?;
        let taken = Taken::read(at, lease_ends, next_in, jobs)?;
        Ok(Self { settled, taken })
    }
}

impl FromWire for Settled {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.int()? {
            0 => Ok(Self::Accepted),
            1 => Ok(Self::Dead),
            2 => Ok(Self::AlreadyDone),
            3 => Ok(Self::LeaseLost),
            _ => Err(Wire::unexpected("the outcome of a settling")),
        }
    }
}

impl Program for Settle {
    type Record = QueueRecord;
    type Reply = Exchanged;

    const SCRIPT: &'static Script = &Script::new(
        "queue-settle",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            include_str!("../lua/settle.lua"),
            include_str!("../lua/record.lua"),
            "local needs = grouped or many > 0 and at >= look_at
             for n = 1, #ids do
               if string.byte(ARGV[2 * n + 2]) ~= 97 then needs = true end
             end\n",
            include_str!("../lua/moves.lua"),
            include_str!("../lua/settle_step.lua"),
            include_str!("../lua/take.lua"),
            "local reply = {settled, at, lease_ends, next_at or false, jobs}\n",
            include_str!("../lua/keep.lua"),
        ),
    )
    .runs_when_full();

    arguments!(settings, take, decisions);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Exchanged {
        let exchanged = work(record, &self.settings, now, false, |work| {
            let decisions = self.decisions.iter();
            let settled: Vec<_> = decisions.map(|decision| settle(work, decision)).collect();
            let pairs = || settled.iter().zip(&self.decisions);
            let is_ack = |(settled, decision): &(&Settled, &Decision)| {
                **settled == Settled::Accepted && decision.operation == Operation::Ack
            };
            work.forget_done(pairs().filter(is_ack).count());
            // Under a limit on running jobs, a job that has ended makes room for another.
            let has_freed = pairs().any(|(settled, decision)| {
                settled.is_accepted() && decision.operation.ends_the_lease()
            });
            let has_room = has_freed && self.settings.max_running > 0;
            let wakes = work.has_placed || work.is_sooner || has_room;
            let taken = work.take(self.take);
            Worked {
                answer: Exchanged {
                    settled,
                    taken: taken.answer,
                },
                wakes: wakes || taken.wakes,
            }
        });
        exchanged.unwrap_or_else(|| Exchanged {
            settled: vec![Settled::LeaseLost; self.decisions.len()],
            taken: Taken::nothing(now),
        })
    }
}

fn settle(work: &mut Work<'_>, decision: &Decision) -> Settled {
    let id = &decision.id;
    let Some(mut job) = work.held.jobs.get(id).cloned() else {
        let is_done = work
            .held
            .done
            .score(id)
            .is_some_and(|until| until > work.at);
        return match is_done {
            true => Settled::AlreadyDone,
            false => Settled::LeaseLost,
        };
    };
    if job.fence != decision.fence || work.held.leased.score(id).is_none() {
        return Settled::LeaseLost;
    }
    work.has_changed = true;
    let settings = work.settings;
    match decision.operation {
        Operation::Ack => {
            work.drop_job(id, &job);
            if settings.retention > 0 {
                work.held.done.insert(work.at + settings.retention, id);
                work.latest = work.latest.max(work.at + settings.retention);
            }
        }
        Operation::Extend => {
            let ends = work.at + decision.micros;
            work.latest = work.latest.max(ends);
            work.held.leased.insert(LEASED + ends, id);
        }
        Operation::Progress => {
            job.progress = decision.text.clone();
            work.held.jobs.insert(id.clone(), job);
        }
        Operation::Reject => {
            work.bury(id, job, &decision.text);
            return Settled::Dead;
        }
        Operation::Nack if job.attempts >= settings.max_attempts => {
            work.bury(id, job, &decision.text);
            return Settled::Dead;
        }
        Operation::Nack | Operation::Release => {
            if decision.operation == Operation::Release {
                job.attempts -= 1;
            } else {
                job.reason = decision.text.clone();
            }
            job.due = work.at + decision.micros;
            match decision.micros {
                0 => work.place(id, &mut job),
                _ => work.hide(id, &mut job),
            }
            work.held.jobs.insert(id.clone(), job);
        }
    }
    Settled::Accepted
}

impl Work<'_> {
    /// Forgets done jobs whose retention has ended, in every sixteenth call, and the oldest past the
    /// cap.
    fn forget_done(&mut self, acked: usize) {
        if acked == 0 {
            return;
        }
        let is_time = self.at.rem_euclid(16) < acked as i64;
        let most = if is_time { self.at } else { i64::MIN };
        for id in self.held.done.first_up_to(most, acked + FORGOTTEN) {
            self.held.done.remove(&id);
        }
        let over = self
            .held
            .done
            .len()
            .saturating_sub(self.settings.max_done as usize);
        for id in self
            .held
            .done
            .first_up_to(i64::MAX, over.min(acked + FORGOTTEN))
        {
            self.held.done.remove(&id);
        }
    }
}
