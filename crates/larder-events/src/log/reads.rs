use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::EventId;
use super::record::{LogRecord, has_room, log_lua};

/// Reads events between two ids: after the first, up to the second.
#[derive(Clone, Debug)]
pub(super) struct ReadRange {
    pub(super) after: EventId,
    pub(super) until: Option<EventId>,
    pub(super) many: u32,
}

/// Whether there are more, and events with their ids. None for entries of other clients.
pub(super) type Events = (bool, Vec<(EventId, Option<Bytes>)>);

impl Program for ReadRange {
    type Record = LogRecord;
    type Reply = Events;

    const SCRIPT: &'static Script = &Script::new(
        "log-read",
        Effect::Read,
        concat!(
            include_str!("lua/stream.lua"),
            include_str!("lua/page.lua"),
            "local events, last = {}, ARGV[2] == '' and '+' or ARGV[2]
             local entries, has_more = page(KEYS[1], ARGV[1], last, tonumber(ARGV[3]))
             for i, entry in ipairs(entries) do
               events[i] = {entry[1], named(entry[2]).event or false}
             end
             return {has_more, events}",
        ),
    );

    fn args(&self, args: &mut Args) {
        self.after.write(args);
        args.text(&self.until.map_or(String::new(), |until| until.to_string()));
        self.many.write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Events> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> Events {
        let Some(log) = record.get() else {
            return Events::default();
        };
        let after = (Bound::Excluded(self.after), Bound::Unbounded);
        let is_within = |id: &EventId| self.until.is_none_or(|until| *id <= until);
        let found = log.events.range(after).take_while(|(id, _)| is_within(id));
        let found = found.map(|(id, kept)| (*id, Some(kept.event.clone())));
        page(found, self.many, |(_, event)| {
            event.as_ref().map_or(0, Bytes::len)
        })
    }
}

/// Returns whether there are more, and the first entries, as many as fit.
fn page<E>(
    entries: impl Iterator<Item = E>,
    many: u32,
    len: impl Fn(&E) -> usize,
) -> (bool, Vec<E>) {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for entry in entries {
        if page.len() == many as usize || !has_room(bytes) {
            return (true, page);
        }
        bytes += len(&entry);
        page.push(entry);
    }
    (false, page)
}

/// Reads dead letters after an id.
#[derive(Clone, Debug)]
pub(super) struct ReadDead {
    pub(super) after: EventId,
    pub(super) many: u32,
}

/// A dead letter: its id, the group, the id of the event, the number of deliveries, the reason, and the
/// event.
pub(super) type DeadEvent = (EventId, String, EventId, u32, String, Bytes);

impl Program for ReadDead {
    type Record = LogRecord;
    type Reply = Vec<DeadEvent>;

    const SCRIPT: &'static Script = &Script::new(
        "log-dead",
        Effect::Read,
        concat!(
            include_str!("lua/stream.lua"),
            include_str!("lua/page.lua"),
            "local letters = {}
             for i, entry in ipairs(page(KEYS[5], ARGV[1], '+', tonumber(ARGV[2]))) do
               local it = named(entry[2])
               local id = parts(it.id or '') and it.id or '0-0'
               local count = string.match(it.deliveries or '', '^%d%d?%d?%d?%d?%d?$') or '0'
               letters[i] = {entry[1], it.group or '', id, count, it.reason or '', it.event or ''}
             end
             return letters",
        ),
    );

    arguments!(after, many);

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> Vec<DeadEvent> {
        let Some(log) = record.get() else {
            return Vec::new();
        };
        let after = (Bound::Excluded(self.after), Bound::Unbounded);
        let shown = |(id, it): (&EventId, &super::record::Dead)| {
            let count = u32::try_from(it.count).unwrap_or(u32::MAX);
            let (group, reason) = (it.group.to_string(), it.reason.to_string());
            (*id, group, it.event_id, count, reason, it.event.clone())
        };
        let letters = log.dead.range(after).map(shown);
        page(letters, self.many, |(.., event)| event.len()).1
    }
}

/// Removes a dead letter, and returns whether it existed.
#[derive(Clone, Debug)]
pub(super) struct RemoveDead {
    pub(super) id: EventId,
    pub(super) ttl: Ttl,
}

impl Program for RemoveDead {
    type Record = LogRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "log-remove-dead",
        Effect::Once,
        concat!(
            include_str!("lua/stream.lua"),
            "keep(ARGV[2])
             return redis.call('XDEL', KEYS[5], ARGV[1])",
        ),
    )
    .runs_when_full();

    arguments!(id, ttl);

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> bool {
        let log = record.update(self.ttl);
        log.is_some_and(|log| log.dead.remove(&self.id).is_some())
    }
}

/// Reads what a log and its groups hold.
#[derive(Clone, Debug)]
pub(super) struct ReadState;

/// What a log holds, in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) len: u64,
    pub(super) added: u64,
    pub(super) first: EventId,
    pub(super) last: EventId,
    pub(super) dead: u64,
    pub(super) groups: Vec<(String, StateOfGroup)>,
}

/// What a group holds, in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StateOfGroup {
    pub(super) pending: u64,
    pub(super) read: u64,
    pub(super) lost: u64,
    /// The number of events of each consumer that has any.
    pub(super) consumers: Vec<(String, u64)>,
}

impl FromWire for State {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (len, added, first, last, dead, groups) = wire.read::<(_, _, _, _, _, Vec<Wire>)>()?;
        let group = |wire: Wire| {
            let (name, pending, read, lost, consumers) = wire.read::<(_, _, _, _, Wire)>()?;
            let state = StateOfGroup {
                pending,
                read,
                lost,
                consumers: consumers.pairs()?,
            };
            Ok((name, state))
        };
        Ok(Self {
            len,
            added,
            first,
            last,
            dead,
            groups: groups.into_iter().map(group).collect::<Result<_>>()?,
        })
    }
}

impl Program for ReadState {
    type Record = LogRecord;
    type Reply = State;

    const SCRIPT: &'static Script = &Script::new("log-state", Effect::Read, log_lua!("state.lua"));

    arguments!();

    fn step(&self, record: &mut Slot<'_, LogRecord>, _: Timestamp) -> State {
        let Some(log) = record.get() else {
            return State::default();
        };
        let group = |(name, state): (&Arc<str>, &super::record::GroupState)| {
            let mut consumers = BTreeMap::<String, u64>::new();
            for it in state.pending.values() {
                *consumers.entry(it.consumer.to_string()).or_default() += 1;
            }
            let state = StateOfGroup {
                pending: state.pending.len() as u64,
                read: state.read.unsigned_abs(),
                lost: state.lost.unsigned_abs(),
                consumers: consumers.into_iter().collect(),
            };
            (name.to_string(), state)
        };
        State {
            len: log.events.len() as u64,
            added: log.added.unsigned_abs(),
            first: log.events.keys().next().copied().unwrap_or_default(),
            last: log.last,
            dead: log.dead.len() as u64,
            groups: log.groups.iter().map(group).collect(),
        }
    }
}
