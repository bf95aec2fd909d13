use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::{EventId, MAX_EVENT, STEP_BYTES};

/// The Lua at the start of all programs on a log, and of those on groups.
macro_rules! log_lua {
    ($file:literal) => {
        concat!(
            include_str!("lua/stream.lua"),
            include_str!("lua/group.lua"),
            include_str!(concat!("lua/", $file))
        )
    };
}
pub(super) use log_lua;

/// The record of a log, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a Stream with the groups of Redis, which any other client can read. In addition there are a
/// hash with larder's own state of each group, the ids of messages with the moments when they are forgotten,
/// and a Stream of dead letters.
#[derive(Debug, Default)]
pub struct LogRecord {
    pub(super) last: EventId,
    /// The number of events that there ever were, which is the number of the last one.
    pub(super) added: i64,
    pub(super) events: BTreeMap<EventId, Kept>,
    pub(super) groups: BTreeMap<Arc<str>, GroupState>,
    pub(super) messages: HashMap<Arc<str>, (EventId, i64)>,
    pub(super) forgotten_at: BTreeSet<(i64, Arc<str>)>,
    pub(super) dead: BTreeMap<EventId, Dead>,
    pub(super) last_dead: EventId,
}

/// A stored event.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Its number, from 1.
    pub(super) number: i64,
    pub(super) event: Bytes,
}

/// A group: its position, and its pending events.
#[derive(Debug, Default)]
pub(super) struct GroupState {
    /// The last event that was delivered.
    pub(super) last: EventId,
    /// Its number.
    pub(super) read: i64,
    /// The number of events that were removed before the group was done with them.
    pub(super) lost: i64,
    pub(super) told: i64,
    /// Differs from that of an earlier group of the same name.
    pub(super) generation: u32,
    /// The millisecond before which no lease of a pending event ends.
    pub(super) due: Option<i64>,
    pub(super) pending: BTreeMap<EventId, Pending>,
}

/// An event that was delivered and is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) consumer: Arc<str>,
    pub(super) delivered: i64,
    pub(super) count: i64,
}

/// An event that no consumer could handle.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    pub(super) group: Arc<str>,
    pub(super) event_id: EventId,
    pub(super) event: Bytes,
    pub(super) count: i64,
    pub(super) reason: Arc<str>,
}

/// The owner of events that were handed back. No consumer can have this name.
pub(super) const RETURNED: &str = "(returned)";

record! {
    LogRecord, Kind::record("log").partitioned(), parts ["", "groups", "messages", "forgotten", "dead"];
    /// Shows people and tools the number of events, and of pending events in each group. It shows no event.
    pub InspectLog = "log-inspect", log_lua!("inspect.lua"), |held, shown| held.show(shown),
}

impl LogRecord {
    fn show(&self, shown: Inspection) -> Inspection {
        let shown = shown
            .with("events", self.events.len())
            .with("appended", self.added)
            .with("last", self.last)
            .with("remembered", self.messages.len())
            .with("dead", self.dead.len());
        self.groups.iter().fold(shown, |shown, (name, group)| {
            let text = format!("read {}, lost {}", group.read, group.lost);
            let shown = shown.with(format!("group {name}"), text);
            let shown = match group.due {
                Some(due) => shown.with(format!("next lease of {name} ends_us"), micros_of(due)),
                None => shown,
            };
            group
                .pending
                .iter()
                .take(10)
                .fold(shown, |shown, (id, it)| {
                    let text = format!("{}, {} times", it.consumer, it.count);
                    shown.with(format!("pending {id}"), text).with(
                        format!("pending {id} delivered_us"),
                        micros_of(it.delivered),
                    )
                })
        })
    }

    /// Returns the number of events that were removed from the front.
    pub(super) fn removed(&self) -> i64 {
        self.added - self.events.len() as i64
    }

    /// Moves an event of a group to the dead letters.
    pub(super) fn bury(
        &mut self,
        group: &Arc<str>,
        id: EventId,
        reason: &Arc<str>,
        now_ms: i64,
        max_dead: u32,
    ) {
        let Some(state) = self.groups.get_mut(group) else {
            return;
        };
        let pending = state.pending.remove(&id);
        let (Some(pending), Some(kept)) = (pending, self.events.get(&id)) else {
            return;
        };
        self.last_dead = self.last_dead.next(now_ms);
        let dead = Dead {
            group: group.clone(),
            event_id: id,
            event: kept.event.clone(),
            count: pending.count,
            reason: reason.clone(),
        };
        self.dead.insert(self.last_dead, dead);
        while self.dead.len() > max_dead as usize {
            self.dead.pop_first();
        }
    }
}

impl GroupState {
    pub(super) fn is_due_at(&mut self, at: i64) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Returns whether the group still needs an event.
    pub(super) fn needs(&self, id: EventId) -> bool {
        let first = self.pending.first_key_value();
        id > self.last || first.is_some_and(|(first, _)| id >= *first)
    }
}

/// Returns whether a step that has read so many bytes may read one more event, however long it is.
pub(super) fn has_room(bytes: usize) -> bool {
    bytes + MAX_EVENT <= STEP_BYTES
}

/// Returns the millisecond of a moment.
pub(super) fn millis(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(1_000)
}

/// Returns the moment of a millisecond, in microseconds.
fn micros_of(millis: i64) -> i64 {
    millis.saturating_mul(1_000)
}
