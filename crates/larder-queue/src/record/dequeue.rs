use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::held::{Held, Mode};
use super::work::{Work, Worked, work};
use super::{LAST_READY, LEASED, QueueRecord, STEP_BYTES, Settings};

/// The number of ended leases, and of due jobs, that one step moves.
const MOVED: usize = 64;

/// The number of ready jobs and groups that one step looks at.
const LOOKS: usize = 512;

/// The reason of a dead letter whose holder has not settled it.
const LEASE_ENDED: &str = "the lease of its last attempt ended";

/// Takes available jobs, at most `many` and a megabyte of them, unless the first is longer.
#[derive(Clone, Debug)]
pub(crate) struct Dequeue {
    pub(crate) settings: Settings,
    pub(crate) many: u32,
}

/// The jobs that were taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) at: Timestamp,
    /// When the leases of all of them end.
    pub(crate) lease_ends: Timestamp,
    /// If none was taken, the microseconds until one may be; None if nothing is due.
    pub(crate) next_in: Option<i64>,
    pub(crate) jobs: Vec<Leased>,
    /// The number of taken jobs that cannot be read: they have no holder.
    pub(crate) unreadable: u64,
}

impl Default for Taken {
    fn default() -> Self {
        let never = Timestamp::from_micros(0);
        Self {
            at: never,
            lease_ends: never,
            next_in: None,
            jobs: Vec::new(),
            unreadable: 0,
        }
    }
}

/// A job that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub(crate) id: Arc<str>,
    pub(crate) fence: i64,
    pub(crate) attempt: u32,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) due_at: Timestamp,
    pub(crate) body: Bytes,
}

impl Leased {
    fn new(id: Arc<str>, job: Held) -> Self {
        Self {
            id,
            fence: job.fence,
            attempt: job.attempts,
            group: job.group,
            enqueued_at: Timestamp::from_micros(job.enqueued),
            due_at: Timestamp::from_micros(job.due),
            body: job.body,
        }
    }
}

impl Program for Dequeue {
    type Record = QueueRecord;
    type Reply = Taken;

    const SCRIPT: &'static Script = &Script::new(
        "queue-dequeue",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            include_str!("../lua/dequeue.lua"),
            include_str!("../lua/record.lua"),
            "local needs = grouped or at >= look_at\n",
            include_str!("../lua/moves.lua"),
            include_str!("../lua/take.lua"),
            "local reply = {at, lease_ends, next_at or false, jobs}\n",
            include_str!("../lua/keep.lua"),
        ),
    )
    .runs_when_full();

    arguments!(settings, many);

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Taken {
        let taken = work(record, &self.settings, now, false, |work| {
            work.take(self.many)
        });
        taken.unwrap_or_else(|| Taken::nothing(now))
    }
}

impl Taken {
    /// Makes the answer of a queue that does not exist.
    pub(super) fn nothing(at: Timestamp) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }
}

impl Work<'_> {
    /// Takes at most `many` jobs, and a megabyte of them unless the first is longer.
    pub(super) fn take(&mut self, many: u32) -> Worked<Taken> {
        let (at, lease_ends) = (self.at, self.at + self.settings.lease.as_micros());
        let mut answer = Taken {
            at: Timestamp::from_micros(at),
            lease_ends: Timestamp::from_micros(lease_ends),
            ..Taken::default()
        };
        if many == 0 || self.held.is_paused {
            self.looked_in_vain = many > 0;
            return Worked {
                answer,
                wakes: false,
            };
        }
        self.reclaim();
        self.promote();
        let settings = self.settings;
        let mut free = i64::from(many);
        if settings.max_running > 0 {
            free = free.min(i64::from(settings.max_running) - self.held.leased.len() as i64);
        }
        let mut next = None;
        let mut tat = self.held.tat.max(at);
        // After a change to a faster rate, or with a clock that was ahead, jobs must not be blocked: one job
        // may start, and the others follow at the rate.
        let period = settings.rate_interval * i64::from(settings.rate_burst);
        if tat > at + period {
            tat = at + period - settings.rate_interval;
        }
        if settings.rate_interval > 0 {
            let (interval, burst) = (settings.rate_interval, i64::from(settings.rate_burst));
            let spare = (at + burst * interval - tat).div_euclid(interval);
            free = free.min(spare);
            if spare <= 0 {
                next = Some(tat + interval - burst * interval);
            }
        }

        let (mut jobs, mut looks) = (Vec::new(), 0);
        let (mut bytes, mut is_cut) = (0, false);
        while (jobs.len() as i64) < free && looks < LOOKS && !is_cut {
            let wanted = (free as usize - jobs.len()).min(LOOKS - looks);
            let found = self.held.ready.first_up_to(LAST_READY, wanted);
            if found.is_empty() {
                break;
            }
            looks += found.len();
            self.has_changed = true;
            for member in found {
                let id = self.named_by(&member);
                let job = id.as_ref().and_then(|id| self.held.jobs.get(id));
                // A token may name no job.
                if let Some(job) = job {
                    is_cut = !jobs.is_empty() && bytes + job.body.len() > STEP_BYTES;
                    if is_cut {
                        break;
                    }
                    bytes += job.body.len();
                }
                jobs.extend(self.take_one(&member, id, lease_ends));
            }
        }

        if !jobs.is_empty() {
            self.latest = self.latest.max(lease_ends);
        }
        if settings.rate_interval > 0 && !jobs.is_empty() {
            self.held.tat = tat + jobs.len() as i64 * settings.rate_interval;
        }
        if jobs.is_empty() {
            self.looked_in_vain = true;
            next = match looks >= LOOKS {
                true => Some(at),
                false => self.next(next),
            };
            answer.next_in = next.map(|next| (next - at).max(0));
        }
        let is_left = self.held.ready.first().is_some();
        let wakes = (is_cut || jobs.len() == many as usize) && is_left;
        answer.jobs = jobs;
        Worked { answer, wakes }
    }

    /// Makes jobs available again whose leases have ended.
    fn reclaim(&mut self) {
        for id in self.held.leased.first_up_to(LEASED + self.at, MOVED) {
            let Some(mut job) = self.held.jobs.get(&id).cloned() else {
                continue;
            };
            self.has_changed = true;
            job.due = self.at;
            if job.attempts >= self.settings.max_attempts {
                self.bury(&id, job, &LEASE_ENDED.into());
            } else {
                self.place(&id, &mut job);
                self.held.jobs.insert(id, job);
            }
        }
    }

    /// Makes due jobs available.
    fn promote(&mut self) {
        for id in self.held.scheduled.first_up_to(self.at, MOVED) {
            let Some(mut job) = self.held.jobs.get(&id).cloned() else {
                continue;
            };
            self.has_changed = true;
            self.place(&id, &mut job);
            self.held.jobs.insert(id, job);
        }
    }

    /// Returns the job that a member of the order stands for: itself, or the first of its group.
    fn named_by(&self, member: &Arc<str>) -> Option<Arc<str>> {
        let Some(group) = member.strip_prefix('\0') else {
            return Some(member.clone());
        };
        let limit = self.settings.max_per_group as usize;
        let is_full = limit > 0 && self.held.busy(group) >= limit;
        let first = self.held.first_of(group).filter(|_| !is_full);
        first.map(|(.., id)| id.clone())
    }

    /// Leases the job `id`, which `member` of the order stands for.
    fn take_one(
        &mut self,
        member: &Arc<str>,
        id: Option<Arc<str>>,
        lease_ends: i64,
    ) -> Option<Leased> {
        let Some(group) = member.strip_prefix('\0') else {
            return self.lease(&id?, lease_ends);
        };
        let group: Arc<str> = group.into();
        // The group has had its turn: its next one comes last.
        self.held.ready.remove(member);
        let leased = self.lease(&id?, lease_ends);
        self.offer(&group);
        leased
    }

    fn lease(&mut self, id: &Arc<str>, lease_ends: i64) -> Option<Leased> {
        let mut job = self.held.jobs.get(id).cloned()?;
        self.held.fence = self.at.max(self.held.fence + 1);
        job.fence = self.held.fence;
        job.attempts += 1;
        if job.mode == Mode::UntilStarted {
            self.free(id, &job);
        }
        if let Some(group) = &job.group {
            self.stops_waiting(group, id, &job);
            let busy = self.held.busy.entry(group.clone()).or_default();
            busy.insert(id.clone());
        }
        self.held.ready.remove(id);
        self.held.leased.insert(LEASED + lease_ends, id);
        self.held.jobs.insert(id.clone(), job.clone());
        Some(Leased::new(id.clone(), job))
    }

    /// Returns the first time at which a job may be taken, or a lease ends.
    fn next(&self, other: Option<i64>) -> Option<i64> {
        let due = self.held.scheduled.first().map(|(due, _)| *due);
        let ends = self.held.leased.first().map(|(ends, _)| *ends - LEASED);
        due.into_iter().chain(ends).chain(other).min()
    }
}

impl FromWire for Taken {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (at, lease_ends, next_in, jobs) = wire.read()?;
        Self::read(at, lease_ends, next_in, jobs)
    }
}

impl Taken {
    /// Reads the parts of an answer.
    pub(super) fn read(
        at: Timestamp,
        lease_ends: Timestamp,
        next_in: Option<i64>,
        jobs: Vec<Wire>,
    ) -> Result<Self> {
        let (mut leased, mut unreadable) = (Vec::with_capacity(jobs.len() / 3), 0);
        let mut jobs = jobs.into_iter();
        while let Some(id) = jobs.next() {
            let mut next = || {
                jobs.next()
                    .ok_or_else(|| Wire::unexpected("a job in three parts"))
            };
            let (text, body) = (next()?.bytes()?, next()?.bytes()?);
            let read = |id: Wire| {
                let id: String = id.read()?;
                Ok(Leased::new(id.into(), Held::read(&text, body)?))
            };
            // A damaged job must not block those that were taken with it.
            match read(id) {
                Ok(job) => leased.push(job),
                Err::<_, larder_store::Error>(_) => unreadable += 1,
            }
        }
        Ok(Self {
            at,
            lease_ends,
            next_in,
            jobs: leased,
            unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rank;

    #[test]
    fn damaged_jobs_of_an_answer_are_counted() {
        let damaged = ["a", "no job", "body"].map(|part| Wire::Bytes(part.into()));
        let jobs = [damaged.clone(), damaged].concat();
        let now = Timestamp::from_micros(1);
        let taken = Taken::read(now, now, None, jobs).unwrap();
        assert_eq!((taken.jobs.len(), taken.unreadable), (0, 2));
    }

    #[test]
    fn a_search_ends_that_finds_only_places_without_a_job() {
        let mut held = QueueRecord::default();
        held.ready.insert(rank(2, 1), &"absent".into());
        let mut work = Work {
            held: &mut held,
            settings: &Settings::default(),
            at: 0,
            has_changed: false,
            has_placed: false,
            is_sooner: false,
            latest: 0,
            looked_in_vain: false,
        };
        let taken = work.take(1).answer;
        assert_eq!((taken.jobs.len(), taken.next_in), (0, Some(0)));
    }
}
