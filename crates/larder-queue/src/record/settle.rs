use std::sync::Arc;

use larder_store::program::prelude::*;

use super::work::{Work, Worked, work};
use super::{LEASED, QueueRecord, Settings};
use crate::Settled;

/// How many ids of done jobs one step forgets.
const FORGOTTEN: usize = 64;

/// Carries out the decisions of holders, each if its fence is the newest of the job.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) settings: Settings,
    pub(crate) decisions: Vec<Decision>,
}

/// One decision.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) id: Arc<str>,
    pub(crate) fence: i64,
    pub(crate) operation: Operation,
    /// The delay or the lease, in microseconds.
    pub(crate) micros: i64,
    pub(crate) reason: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Ack,
    Nack,
    Reject,
    Release,
    Extend,
}

impl Arg for Operation {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::Ack => "a",
            Self::Nack => "n",
            Self::Reject => "j",
            Self::Release => "r",
            Self::Extend => "e",
        });
    }
}

impl Arg for Decision {
    fn write(&self, args: &mut Args) {
        (&self.id, (self.fence, self.operation)).write(args);
        (self.micros, &self.reason).write(args);
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
    type Reply = Vec<Settled>;

    const SCRIPT: &'static Script = &Script::new(
        "queue-settle",
        Effect::Once,
        concat!(
            include_str!("../lua/work.lua"),
            include_str!("../lua/settle.lua")
        ),
    )
    .runs_when_full();

    arguments!(settings, decisions);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Vec<Settled> {
        let settled = work(record, &self.settings, now, false, |work| {
            let decisions = self.decisions.iter();
            let answer = decisions.map(|decision| settle(work, decision)).collect();
            if work.has_changed {
                work.forget_done();
            }
            // What has ended makes room under a limit of what runs.
            let has_room = work.has_changed && self.settings.max_running > 0;
            let wakes = work.has_placed || work.is_sooner || has_room;
            Worked { answer, wakes }
        });
        settled.unwrap_or_else(|| vec![Settled::LeaseLost; self.decisions.len()])
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
        Operation::Reject => {
            work.bury(id, job, &decision.reason);
            return Settled::Dead;
        }
        Operation::Nack if job.attempts >= settings.max_attempts => {
            work.bury(id, job, &decision.reason);
            return Settled::Dead;
        }
        Operation::Nack | Operation::Release => {
            if decision.operation == Operation::Release {
                job.attempts -= 1;
            } else {
                job.reason = decision.reason.clone();
            }
            job.due = work.at + decision.micros;
            match decision.micros {
                0 => work.place(id, &mut job),
                _ => work.hide(id, &job),
            }
            work.held.jobs.insert(id.clone(), job);
        }
    }
    Settled::Accepted
}

impl Work<'_> {
    /// Forgets done jobs whose retention has ended, and the oldest past the cap.
    fn forget_done(&mut self) {
        for id in self.held.done.first_up_to(self.at, FORGOTTEN) {
            self.held.done.remove(&id);
        }
        let over = self
            .held
            .done
            .len()
            .saturating_sub(self.settings.max_done as usize);
        for id in self.held.done.first_up_to(i64::MAX, over.min(FORGOTTEN)) {
            self.held.done.remove(&id);
        }
    }
}
