use std::sync::Arc;

use larder_store::program::prelude::*;

use super::held::Mode;
use super::listing::Band;
use super::work::{Worked, work};
use super::{QueueRecord, Settings};
use crate::Cancelled;

/// Removes a job that waits, runs or is dead.
#[derive(Clone, Debug)]
pub(crate) struct Cancel {
    pub(crate) settings: Settings,
    pub(crate) id: Arc<str>,
}

impl FromWire for Cancelled {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.int()? {
            0 => Ok(Self::Removed),
            1 => Ok(Self::Running),
            2 => Ok(Self::Unknown),
            _ => Err(Wire::unexpected("the outcome of a cancellation")),
        }
    }
}

impl Program for Cancel {
    type Record = QueueRecord;
    type Reply = Cancelled;

    const SCRIPT: &'static Script = &Script::new(
        "queue-cancel",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            include_str!("../lua/cancel.lua"),
            include_str!("../lua/record.lua"),
            include_str!("../lua/moves.lua"),
            include_str!("../lua/cancel_step.lua"),
            include_str!("../lua/keep.lua"),
        ),
    )
    .runs_when_full();

    arguments!(settings, id);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Cancelled {
        let cancelled = work(record, &self.settings, now, false, |work| {
            let is_running = work.held.leased.score(&self.id).is_some();
            let answer = match work.held.jobs.get(&self.id).cloned() {
                None => Cancelled::Unknown,
                Some(job) => {
                    work.has_changed = true;
                    work.drop_job(&self.id, &job);
                    match is_running {
                        true => Cancelled::Running,
                        false => Cancelled::Removed,
                    }
                }
            };
            // Whoever cancels may not know of a limit on running jobs.
            let wakes = work.has_placed || is_running;
            Worked { answer, wakes }
        });
        cancelled.unwrap_or(Cancelled::Unknown)
    }
}

/// Stops or resumes dequeues.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    pub(crate) settings: Settings,
    pub(crate) is_paused: bool,
}

impl Program for Pause {
    type Record = QueueRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "queue-pause",
        Effect::Idempotent,
        concat!(
            include_str!("../lua/head.lua"),
            "local meta = redis.call('HGET', KEYS[1], '')\n",
            include_str!("../lua/record.lua"),
            "changed, paused, wakes = true, ARGV[2] == '1', ARGV[2] == '0'
             local reply = 1\n",
            include_str!("../lua/keep.lua"),
        ),
    )
    .runs_when_full();

    arguments!(settings, is_paused);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) {
        work(record, &self.settings, now, true, |work| {
            work.has_changed = true;
            work.held.is_paused = self.is_paused;
            Worked {
                answer: (),
                wakes: !self.is_paused,
            }
        });
    }
}

/// Puts dead letters back into the queue, oldest first, and returns their number.
#[derive(Clone, Debug)]
pub(crate) struct Redrive {
    pub(crate) settings: Settings,
    pub(crate) many: u32,
}

impl Program for Redrive {
    type Record = QueueRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "queue-redrive",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            "local needs, meta = true, redis.call('HGET', KEYS[1], '')
             if not meta then return 0 end\n",
            include_str!("../lua/record.lua"),
            include_str!("../lua/moves.lua"),
            include_str!("../lua/redrive.lua"),
            include_str!("../lua/keep.lua"),
        ),
    );

    arguments!(settings, many);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> u64 {
        let moved = work(record, &self.settings, now, false, |work| {
            let ids = work.held.dead.first_up_to(i64::MAX, self.many as usize);
            for id in &ids {
                work.has_changed = true;
                work.held.dead.remove(id);
                let Some(mut job) = work.held.jobs.get(id).cloned() else {
                    continue;
                };
                (job.attempts, job.place, job.due) = (0, 0, work.at);
                (job.mode, job.key) = (Mode::None, None);
                work.place(id, &mut job);
                work.held.jobs.insert(id.clone(), job);
            }
            Worked {
                answer: ids.len() as u64,
                wakes: work.has_placed,
            }
        });
        moved.unwrap_or(0)
    }
}

/// Removes jobs of one part of the record, and returns their number.
#[derive(Clone, Debug)]
pub(crate) struct Purge {
    pub(crate) settings: Settings,
    pub(crate) band: Band,
    pub(crate) many: u32,
}

impl Program for Purge {
    type Record = QueueRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "queue-purge",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            "local needs, meta = true, redis.call('HGET', KEYS[1], '')
             if not meta then return 0 end\n",
            include_str!("../lua/record.lua"),
            include_str!("../lua/moves.lua"),
            include_str!("../lua/purge.lua"),
            include_str!("../lua/keep.lua"),
        ),
    )
    .runs_when_full();

    arguments!(settings, band, many);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> u64 {
        let removed = work(record, &self.settings, now, false, |work| {
            let ids = work.held.members(self.band, self.many as usize);
            let mut removed = 0;
            for id in ids {
                work.has_changed = true;
                removed += 1;
                match work.held.jobs.get(&id).cloned() {
                    _ if self.band == Band::Done => {
                        work.held.done.remove(&id);
                    }
                    Some(job) => work.drop_job(&id, &job),
                    None => {}
                }
            }
            let has_room = removed > 0 && self.band == Band::Leased;
            Worked {
                answer: removed,
                wakes: work.has_placed || has_room,
            }
        });
        removed.unwrap_or(0)
    }
}
