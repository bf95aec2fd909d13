use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::held::{self, Held, Mode};
use super::packed::Packed;
use super::work::{Work, Worked, work};
use super::{LATEST_DUE, QueueRecord, Settings};
use crate::new_job::Due;
use crate::{JobId, NewJob, Until};

/// The number of ended unique keys that one step forgets in addition to those that it may add.
const FORGOTTEN: usize = 64;

/// Adds jobs, each unless its id or its unique key is already used.
#[derive(Clone, Debug)]
pub(crate) struct Enqueue {
    pub(crate) settings: Settings,
    pub(crate) items: Vec<Item>,
}

/// A job to be added.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: Arc<str>,
    pub(crate) due: Due,
    pub(crate) class: u8,
    pub(crate) mode: Mode,
    /// The microseconds of [`Mode::UntilTtl`].
    pub(crate) unique_for: i64,
    /// Whether it replaces a job with its unique key that has not started.
    pub(crate) replaces: bool,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) body: Bytes,
}

/// The outcome for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    New(JobId),
    Duplicate(JobId),
    Full,
}

impl Item {
    pub(crate) fn new(job: &NewJob, body: Bytes) -> Self {
        let (mode, unique_for) = match &job.unique {
            None => (Mode::None, 0),
            Some((_, Until::Done)) => (Mode::UntilDone, 0),
            Some((_, Until::Started)) => (Mode::UntilStarted, 0),
            Some((_, Until::Ttl(ttl))) => (Mode::UntilTtl, ttl.as_micros()),
        };
        Self {
            id: job.id.text().clone(),
            due: job.due,
            class: job.priority as u8,
            mode,
            unique_for,
            replaces: job.replaces,
            key: job.unique.as_ref().map(|(key, _)| key.clone()),
            group: job.group.clone(),
            body,
        }
    }

    /// Returns whether it can be taken at once, replaces no other, and has no unique key that ends
    /// by itself.
    fn is_now(&self) -> bool {
        matches!(self.due, Due::In(0)) && !self.replaces && self.mode != Mode::UntilTtl
    }

    /// Returns whether it needs only a place in the queue, like most jobs.
    fn is_plain(&self) -> bool {
        self.is_now() && self.key.is_none() && self.group.is_none()
    }
}

impl Arg for Item {
    fn write(&self, args: &mut Args) {
        let (key, group) = (self.key.as_deref(), self.group.as_deref());
        let (key, group) = (key.unwrap_or_default(), group.unwrap_or_default());
        self.id.write(args);
        args.bytes(held::fixed(self.class, self.mode, key, group).as_slice());
        match self.is_now() {
            true => args.text(""),
            false => {
                let (origin, micros) = match self.due {
                    Due::In(micros) => (0, micros),
                    Due::At(micros) => (1, micros),
                };
                let when = Packed::new().byte(origin).int(micros).int(self.unique_for);
                args.bytes(when.byte(self.replaces.into()).as_slice());
            }
        }
        self.body.write(args);
    }
}

impl Program for Enqueue {
    type Record = QueueRecord;
    type Reply = Vec<Added>;

    const SCRIPT: &'static Script = &Script::new(
        "queue-enqueue",
        Effect::Once,
        concat!(
            include_str!("../lua/head.lua"),
            include_str!("../lua/enqueue.lua"),
            include_str!("../lua/record.lua"),
            include_str!("../lua/moves.lua"),
            include_str!("../lua/enqueue_step.lua"),
            include_str!("../lua/keep.lua"),
        ),
    );

    fn args(&self, args: &mut Args) {
        let needs_moves = self.items.iter().any(|item| !item.is_plain());
        (&self.settings, needs_moves).write(args);
        self.items.write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Added>> {
        let read = |(answer, item): (Wire, &Item)| match answer {
            Wire::Int(1) => Ok(Added::New(JobId::known(item.id.clone()))),
            Wire::Int(2) => Ok(Added::Full),
            Wire::Bytes(id) => {
                let id = std::str::from_utf8(&id);
                let id = id.map_err(|_| Wire::unexpected("the id of a job"))?;
                Ok(Added::Duplicate(JobId::known(id.into())))
            }
            _ => Err(Wire::unexpected("the outcome of an enqueue")),
        };
        wire.list()?
            .into_iter()
            .zip(&self.items)
            .map(read)
            .collect()
    }

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Vec<Added> {
        let added = work(record, &self.settings, now, true, |work| {
            // Idle workers were woken when the first job arrived.
            let was_empty = work.held.ready.first().is_none();
            let mut forgets = FORGOTTEN + self.items.len();
            let items = self.items.iter();
            let answer = items.map(|item| add(work, item, &mut forgets)).collect();
            let wakes = work.is_sooner || (work.has_placed && was_empty);
            Worked { answer, wakes }
        });
        added.unwrap_or_default()
    }
}

/// Forgets unique keys that have ended.
fn forget_keys(work: &mut Work<'_>, most: usize) {
    for key in work.held.unique_ends.first_up_to(work.at, most) {
        work.held.unique_ends.remove(&key);
        work.held.unique.remove(&key);
        work.has_changed = true;
    }
}

fn add(work: &mut Work<'_>, item: &Item, forgets: &mut usize) -> Added {
    let is_done = |until: i64| until > work.at;
    if work.held.jobs.contains_key(&item.id) || work.held.done.score(&item.id).is_some_and(is_done)
    {
        return Added::Duplicate(JobId::known(item.id.clone()));
    }
    let due = match item.due {
        Due::In(micros) => work.at + micros,
        Due::At(micros) => micros,
    };
    let due = due.clamp(work.at, LATEST_DUE.max(work.at));
    if item.key.is_some() {
        // Once for each step.
        forget_keys(work, std::mem::take(forgets));
    }
    if let Some(other) = owner(work, item) {
        if item.replaces {
            replace(work, item, &other, due);
        }
        return Added::Duplicate(JobId::known(other));
    }
    let live = work.held.jobs.len() - work.held.dead.len();
    let (max_jobs, max_keys) = (work.settings.max_jobs, work.settings.max_keys);
    let has_too_many = item.key.is_some() && work.held.unique.len() >= max_keys as usize;
    if live >= max_jobs as usize || has_too_many {
        return Added::Full;
    }

    work.has_changed = true;
    let mut job = Held {
        class: item.class,
        place: 0,
        attempts: 0,
        fence: 0,
        enqueued: work.at,
        due,
        mode: item.mode,
        key: item.key.clone(),
        group: item.group.clone(),
        reason: Arc::default(),
        progress: Arc::default(),
        body: item.body.clone(),
    };
    match due > work.at {
        true => work.hide(&item.id, &mut job),
        false => work.place(&item.id, &mut job),
    }
    work.held.jobs.insert(item.id.clone(), job);
    if let Some(key) = &item.key {
        work.held.unique.insert(key.clone(), item.id.clone());
        match item.mode {
            Mode::UntilTtl => {
                let ends = work.at + item.unique_for;
                work.held.unique_ends.insert(ends, key);
                work.latest = work.latest.max(ends);
            }
            _ => {
                work.held.unique_ends.remove(key);
            }
        }
    }
    Added::New(JobId::known(item.id.clone()))
}

/// Returns the job that owns the unique key.
fn owner(work: &Work<'_>, item: &Item) -> Option<Arc<str>> {
    let key = item.key.as_ref()?;
    let has_ended = |ends: i64| ends <= work.at;
    let has_ended = work.held.unique_ends.score(key).is_some_and(has_ended);
    work.held.unique.get(key).filter(|_| !has_ended).cloned()
}

/// Replaces the content of a job that was not taken yet, and restarts its delay.
fn replace(work: &mut Work<'_>, item: &Item, other: &Arc<str>, due: i64) {
    let Some(mut job) = work.held.jobs.get(other).cloned() else {
        return;
    };
    // In this mode, a key belongs to its job until the job is first taken; so if the job has a
    // place, it is still waiting.
    if job.place > 0 && job.mode != Mode::UntilStarted {
        return;
    }
    work.has_changed = true;
    if let Some(group) = &job.group {
        work.stops_waiting(group, other, &job);
    }
    (job.due, job.place) = (due, 0);
    job.body = item.body.clone();
    work.hide(other, &mut job);
    if let Some(group) = &job.group {
        work.offer(group);
    }
    work.held.jobs.insert(other.clone(), job);
}
