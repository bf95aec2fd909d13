use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::EventId;
use super::record::{LogRecord, Pending, has_room, log_lua, millis};

/// Delivers events to a consumer: first those whose lease has ended, then those that no consumer of the group
/// has had. Events that were delivered too often become dead letters.
#[derive(Clone, Debug)]
pub(super) struct Take {
    pub(super) group: Arc<str>,
    pub(super) consumer: Arc<str>,
    pub(super) many: u32,
    pub(super) lease: Ttl,
    pub(super) max_pending: u32,
    pub(super) max_deliveries: u32,
    pub(super) max_dead: u32,
    pub(super) ttl: Ttl,
    /// The losses that the consumer already knows of.
    pub(super) known: Known,
    /// Whether this is the consumer's first read.
    pub(super) is_first: bool,
}

/// How many events a group has lost in all, as far as a consumer knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) losses: i64,
    /// That of the group: one that was created again has losses of its own.
    pub(super) generation: u32,
}

/// The losses of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// How many events in all.
    pub(super) all: i64,
    /// How many of them were reported to the group.
    pub(super) told: i64,
    /// How many of these this read confirms.
    pub(super) confirmed: u64,
    pub(super) generation: u32,
}

impl Losses {
    /// Returns what a consumer that gets them knows.
    pub(super) fn known(self) -> Known {
        Known {
            losses: self.all,
            generation: self.generation,
        }
    }
}

/// The events that a consumer gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether the group exists.
    pub(super) has_group: bool,
    pub(super) losses: Losses,
    /// The milliseconds within which no lease of the group ends. None if nothing is pending.
    pub(super) left: Option<i64>,
    /// Whether nothing more is delivered until an event is acknowledged.
    pub(super) is_full: bool,
    /// Whether it ended because of its size, so that there may be more.
    pub(super) is_cut: bool,
    pub(super) events: Vec<Given>,
}

/// An event that a consumer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) id: EventId,
    pub(super) count: u32,
    /// None for an entry of another client.
    pub(super) event: Option<Bytes>,
}

impl FromWire for Taken {
    fn from_wire(wire: Wire) -> Result<Self> {
        type Parts = (bool, (i64, i64, u64, u32), Wire, bool, bool, Vec<Wire>);
        let (has_group, losses, left, is_full, is_cut, events) = wire.read::<Parts>()?;
        let (all, told, confirmed, generation) = losses;
        let left = match left {
            Wire::Bytes(text) if text.is_empty() => None,
            left => Some(left.int()?),
        };
        let mut given = Vec::with_capacity(events.len() / 3);
        let mut events = events.into_iter();
        while let (Some(id), Some(count), Some(event)) =
            (events.next(), events.next(), events.next())
        {
            given.push(Given {
                id: id.read()?,
                count: count.read()?,
                event: event.read()?,
            });
        }
        Ok(Self {
            has_group,
            losses: Losses {
                all,
                told,
                confirmed,
                generation,
            },
            left,
            is_full,
            is_cut,
            events: given,
        })
    }
}

/// The number of pending events that one step looks at.
const LOOKED_AT: usize = 2_000;
/// The number of events that one step moves to the dead letters.
const BURIED: usize = 64;

impl Program for Take {
    type Record = LogRecord;
    type Reply = Taken;

    const SCRIPT: &'static Script =
        &Script::new("log-take", Effect::Once, log_lua!("take.lua")).runs_when_full();

    fn args(&self, args: &mut Args) {
        (&self.group, &self.consumer).write(args);
        (self.many, self.lease).write(args);
        (self.max_pending, self.max_deliveries).write(args);
        (self.max_dead, self.ttl).write(args);
        (self.known.losses, self.is_first).write(args);
        self.known.generation.write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Taken> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, LogRecord>, now: Timestamp) -> Taken {
        let now_ms = millis(now);
        if !record
            .get()
            .is_some_and(|log| log.groups.contains_key(&self.group))
        {
            return Taken::default();
        }
        let Some(log) = record.update(self.ttl) else {
            return Taken::default();
        };
        let told_before = log.groups.get(&self.group).map_or(0, |group| group.told);
        if let Some(group) = log.groups.get_mut(&self.group)
            && self.known.generation == group.generation
            && self.known.losses > group.told
            && self.known.losses <= group.lost
        {
            group.told = self.known.losses;
        }
        let (mut events, mut bytes) = self.claim(log, now_ms);
        let Some(group) = log.groups.get_mut(&self.group) else {
            return Taken::default();
        };
        let wanted = (self.many as usize).saturating_sub(events.len());
        let room = wanted.min((self.max_pending as usize).saturating_sub(group.pending.len()));
        let after = (Bound::Excluded(group.last), Bound::Unbounded);
        for (id, kept) in log.events.range(after).take(room) {
            if !has_room(bytes) {
                break;
            }
            bytes += kept.event.len();
            group.lost += (kept.number - 1 - group.read).max(0);
            (group.read, group.last) = (kept.number, *id);
            let pending = Pending {
                consumer: self.consumer.clone(),
                delivered: now_ms,
                count: 1,
            };
            group.pending.insert(*id, pending);
            events.push(Given {
                id: *id,
                count: 1,
                event: Some(kept.event.clone()),
            });
        }
        if !events.is_empty() {
            group.is_due_at(now_ms + self.lease.as_millis() as i64);
        }
        Taken {
            has_group: true,
            losses: Losses {
                all: group.lost,
                told: group.told,
                confirmed: (group.told - told_before).unsigned_abs(),
                generation: group.generation,
            },
            left: group.due.map(|due| due - now_ms),
            is_full: room == 0 && wanted > 0,
            is_cut: !has_room(bytes),
            events,
        }
    }
}

impl Take {
    /// Takes over the pending events whose lease has ended, and returns them with the number of their bytes.
    fn claim(&self, log: &mut LogRecord, now_ms: i64) -> (Vec<Given>, usize) {
        let (mut claimed, mut bytes) = (Vec::new(), 0);
        let Some(group) = log.groups.get_mut(&self.group) else {
            return (claimed, bytes);
        };
        if group.pending.is_empty() {
            group.due = None;
        }
        if group.pending.is_empty() || group.due.is_some_and(|due| due > now_ms) {
            return (claimed, bytes);
        }
        let (mut due, mut spent) = (None::<i64>, Vec::new());
        for (id, it) in group.pending.iter_mut().take(LOOKED_AT) {
            let ends = it.delivered + self.lease.as_millis() as i64;
            let is_spent = it.count >= i64::from(self.max_deliveries);
            let is_wanted = claimed.len() < self.many as usize && has_room(bytes);
            if ends <= now_ms && is_spent && spent.len() < BURIED {
                spent.push(*id);
            } else if ends <= now_ms && !is_spent && is_wanted {
                it.consumer = self.consumer.clone();
                it.delivered = now_ms;
                it.count += 1;
                let event = log.events.get(id).map(|kept| kept.event.clone());
                bytes += event.as_ref().map_or(0, Bytes::len);
                claimed.push(Given {
                    id: *id,
                    count: u32::try_from(it.count).unwrap_or(u32::MAX),
                    event,
                });
            } else {
                due = Some(due.map_or(ends, |due| due.min(ends)));
            }
        }
        group.due = due;
        let reason = "too many deliveries".into();
        for id in spent {
            log.bury(&self.group, id, &reason, now_ms, self.max_dead);
        }
        (claimed, bytes)
    }
}
