//! The common part of the steps of a queue: the transitions of a job from state to state.
//!
//! `lua/moves.lua` has the same functions.

use std::sync::Arc;

use larder_store::program::prelude::*;

use super::held::{Held, Mode};
use super::{CLASS, FLOOR, QueueRecord, Settings, rank, token};

/// The number of dead letters past the cap that one burial removes.
const TRIMMED: usize = 16;

/// One step on a queue.
pub(super) struct Work<'a> {
    pub(super) held: &'a mut QueueRecord,
    pub(super) settings: &'a Settings,
    pub(super) at: i64,
    /// Whether anything was written.
    pub(super) has_changed: bool,
    /// Whether a job became available.
    pub(super) has_placed: bool,
    /// Whether idle waiters must look, because something is due before their next look.
    pub(super) is_sooner: bool,
    /// The latest time until which a job was hidden.
    pub(super) latest: i64,
    /// Whether a look for jobs found none.
    pub(super) looked_in_vain: bool,
}

/// The outcome of a step: its answer, and whether waiters are woken.
pub(super) struct Worked<T> {
    pub(super) answer: T,
    pub(super) wakes: bool,
}

/// Runs a step on the record, if there is one; `makes` says whether to create it otherwise.
pub(super) fn work<T>(
    record: &mut Slot<'_, QueueRecord>,
    settings: &Settings,
    now: Timestamp,
    makes: bool,
    step: impl FnOnce(&mut Work<'_>) -> Worked<T>,
) -> Option<T> {
    let is_new = record.get().is_none();
    if is_new && !makes {
        return None;
    }
    let held = match is_new {
        true => record.update_or(settings.ttl, QueueRecord::default),
        false => record.get_mut()?,
    };
    let at = now.as_micros();
    let mut work = Work {
        held,
        settings,
        at,
        has_changed: false,
        has_placed: false,
        is_sooner: false,
        latest: 0,
        looked_in_vain: false,
    };
    let Worked { answer, wakes } = step(&mut work);
    // One wake-up is enough until a worker has again found nothing.
    let wakes = wakes && !work.held.is_told;
    work.held.is_told = (work.held.is_told || wakes) && !work.looked_in_vain;
    let renewed = match work.has_changed {
        true => work.renew(),
        false => None,
    };
    let has_changed = work.has_changed;
    if let Some(ttl) = renewed {
        record.update(ttl);
    }
    if is_new && !has_changed {
        record.remove();
    }
    if wakes {
        record.wake();
    }
    Some(answer)
}

impl Work<'_> {
    /// Extends the record, if a sixteenth of its TTL has passed or something is due later.
    fn renew(&mut self) -> Option<Ttl> {
        let ttl = self.settings.ttl.as_micros();
        let needed = self.latest.max(self.at) + ttl;
        if self.held.ends >= needed - ttl / 16 {
            return None;
        }
        let ttl = Ttl::covering_micros(needed - self.at);
        self.held.ends = self.at + ttl.as_micros();
        Some(ttl)
    }

    pub(super) fn next_place(&mut self) -> i64 {
        self.held.seq += 1;
        self.held.seq
    }

    /// Keeps the token of a group if one of its jobs is available, in the priority of that job.
    pub(super) fn offer(&mut self, group: &Arc<str>) {
        let token = token(group);
        let limit = self.settings.max_per_group as usize;
        let is_full = limit > 0 && self.held.busy(group) >= limit;
        let first = self.held.first_of(group).filter(|_| !is_full);
        let Some(class) = first.map(|(class, ..)| *class) else {
            self.held.ready.remove(&token);
            return;
        };
        let now = self.held.ready.score(&token);
        if now.map(|rank| (rank - FLOOR) / CLASS) != Some(i64::from(class)) {
            let place = self.next_place();
            self.held.ready.insert(rank(class, place), &token);
            self.has_placed = true;
        }
    }

    fn unhide(&mut self, id: &str) {
        let held = &mut *self.held;
        for set in [&mut held.ready, &mut held.scheduled, &mut held.leased] {
            set.remove(id);
        }
    }

    fn occupies_no_more(&mut self, group: &Arc<str>, id: &str) {
        if let Some(busy) = self.held.busy.get_mut(group) {
            busy.remove(id);
            if busy.is_empty() {
                self.held.busy.remove(group);
            }
        }
    }

    /// Makes a job available, at its place or at the end.
    pub(super) fn place(&mut self, id: &Arc<str>, job: &mut Held) {
        job.fence = 0;
        if job.place == 0 {
            job.place = self.next_place();
        }
        self.unhide(id);
        let Some(group) = &job.group else {
            let rank = rank(job.class, job.place);
            self.held.ready.insert(rank, id);
            self.has_placed = true;
            return;
        };
        self.occupies_no_more(group, id);
        let waiting = self.held.in_group.entry(group.clone()).or_default();
        waiting.insert((job.class, job.place, id.clone()));
        self.offer(group);
    }

    /// Hides a job until it is due.
    pub(super) fn hide(&mut self, id: &Arc<str>, job: &mut Held) {
        job.fence = 0;
        self.unhide(id);
        self.held.scheduled.insert(job.due, id);
        self.latest = self.latest.max(job.due);
        if let Some(group) = &job.group
            && job.place > 0
            && !self.settings.keeps_order
        {
            self.occupies_no_more(group, id);
            self.offer(group);
        }
        let first = self.held.scheduled.first();
        self.is_sooner |= first.is_some_and(|(_, first)| first == id);
    }

    /// Removes a job from the order, and frees its group and its unique key.
    pub(super) fn leave(&mut self, id: &Arc<str>, job: &Held) {
        self.unhide(id);
        if let Some(group) = &job.group {
            self.occupies_no_more(group, id);
            self.stops_waiting(group, id, job);
            self.offer(group);
        }
        if matches!(job.mode, Mode::UntilDone | Mode::UntilStarted) {
            self.free(id, job);
        }
    }

    pub(super) fn stops_waiting(&mut self, group: &Arc<str>, id: &Arc<str>, job: &Held) {
        if let Some(waiting) = self.held.in_group.get_mut(group) {
            waiting.remove(&(job.class, job.place, id.clone()));
            if waiting.is_empty() {
                self.held.in_group.remove(group);
            }
        }
    }

    /// Frees the unique key of a job, if the job still owns it.
    pub(super) fn free(&mut self, id: &str, job: &Held) {
        if let Some(key) = &job.key
            && self
                .held
                .unique
                .get(key)
                .is_some_and(|owner| **owner == *id)
        {
            self.held.unique.remove(key);
        }
    }

    /// Removes a job.
    pub(super) fn drop_job(&mut self, id: &Arc<str>, job: &Held) {
        self.leave(id, job);
        self.held.dead.remove(id);
        self.held.jobs.remove(id);
    }

    /// Makes a job a dead letter, and removes the oldest past the cap.
    pub(super) fn bury(&mut self, id: &Arc<str>, mut job: Held, reason: &Arc<str>) {
        self.leave(id, &job);
        (job.fence, job.reason) = (0, reason.clone());
        self.held.jobs.insert(id.clone(), job);
        self.held.dead.insert(self.at, id);
        let over = self
            .held
            .dead
            .len()
            .saturating_sub(self.settings.max_dead as usize);
        for _ in 0..over.min(TRIMMED) {
            if let Some((_, oldest)) = self.held.dead.first().cloned() {
                self.held.dead.remove(&oldest);
                self.held.jobs.remove(&oldest);
            }
        }
    }
}
