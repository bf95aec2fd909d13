use std::sync::Arc;

use larder_store::program::prelude::*;

use super::record::{GroupState, LogRecord, Pending, RETURNED, log_lua, millis};
use super::{EventId, Start};

/// Creates a group, unless there is one with its name.
#[derive(Clone, Debug)]
pub(super) struct Create {
    pub(super) group: Arc<str>,
    pub(super) start: Start,
    pub(super) max_groups: u32,
    pub(super) ttl: Ttl,
    /// A random number, by which the group differs from earlier ones of its name.
    pub(super) generation: u32,
}

/// The outcome of creating a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    Existed,
    New,
    Full,
}

impl FromWire for Created {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.int()? {
            0 => Ok(Self::Existed),
            1 => Ok(Self::New),
            2 => Ok(Self::Full),
            _ => Err(Wire::unexpected("whether a group was made")),
        }
    }
}

impl Arg for Start {
    fn write(&self, args: &mut Args) {
        match self {
            Self::First => args.text("first"),
            Self::Now => args.text("now"),
            Self::After(id) => id.write(args),
        }
    }
}

impl Program for Create {
    type Record = LogRecord;
    type Reply = Created;

    const SCRIPT: &'static Script =
        &Script::new("log-create", Effect::Once, log_lua!("create.lua"));

    arguments!(group, start, max_groups, ttl, generation);

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> Created {
        let groups = record.get().map_or(0, |log| log.groups.len());
        let is_there = record
            .get()
            .is_some_and(|log| log.groups.contains_key(&self.group));
        if !is_there && groups >= self.max_groups as usize {
            return Created::Full;
        }
        let log = record.update_or(self.ttl, LogRecord::default);
        if is_there {
            return Created::Existed;
        }
        let (last, read) = match self.start {
            Start::First => (EventId::ZERO, log.removed()),
            Start::Now => (log.last, log.added),
            Start::After(id) => {
                let id = id.min(log.last);
                let next = log.events.range(id..).find(|(next, _)| **next > id);
                (id, next.map_or(log.added, |(_, kept)| kept.number - 1))
            }
        };
        let state = GroupState {
            last,
            read,
            generation: self.generation,
            ..GroupState::default()
        };
        log.groups.insert(self.group.clone(), state);
        Created::New
    }
}

/// Removes a group with all its pending events.
#[derive(Clone, Debug)]
pub(super) struct RemoveGroup {
    pub(super) group: Arc<str>,
    pub(super) ttl: Ttl,
}

impl Program for RemoveGroup {
    type Record = LogRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "log-remove-group",
        Effect::Once,
        concat!(
            include_str!("lua/stream.lua"),
            "local removed = redis.call('HDEL', KEYS[2], ARGV[1])
             maybe('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
             keep(ARGV[2])
             return removed",
        ),
    )
    .runs_when_full();

    arguments!(group, ttl);

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> bool {
        let log = record.update(self.ttl);
        log.is_some_and(|log| log.groups.remove(&self.group).is_some())
    }
}

/// Hands a consumer's pending events back to the group, a page at a time, and then removes the
/// consumer.
#[derive(Clone, Debug)]
pub(super) struct HandBack {
    pub(super) group: Arc<str>,
    pub(super) consumer: Arc<str>,
    pub(super) lease: Ttl,
    pub(super) ttl: Ttl,
}

/// The number of events that one step hands back.
const HANDED: usize = 256;

impl Program for HandBack {
    type Record = LogRecord;
    /// How many were handed back, and whether they were all.
    type Reply = (u64, bool);

    const SCRIPT: &'static Script =
        &Script::new("log-hand-back", Effect::Once, log_lua!("hand_back.lua")).runs_when_full();

    arguments!(group, consumer, lease, ttl);

    fn step(&self, record: &mut Slot<'_, LogRecord>, now: Timestamp) -> (u64, bool) {
        let now_ms = millis(now);
        let is_there = record
            .get()
            .is_some_and(|log| log.groups.contains_key(&self.group));
        if !is_there {
            return (0, true);
        }
        let log = record.update(self.ttl);
        let Some(group) = log.and_then(|log| log.groups.get_mut(&self.group)) else {
            return (0, true);
        };
        let mine = |it: &&mut Pending| it.consumer == self.consumer;
        let mut handed = 0;
        for it in group.pending.values_mut().filter(mine).take(HANDED) {
            it.consumer = RETURNED.into();
            it.delivered = (now_ms - self.lease.as_millis() as i64).max(0);
            handed += 1;
        }
        if handed > 0 {
            group.is_due_at(now_ms);
            record.wake();
        }
        (handed as u64, handed < HANDED)
    }
}
