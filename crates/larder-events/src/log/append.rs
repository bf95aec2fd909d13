use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::EventId;
use super::record::{Kept, LogRecord, log_lua, millis};

/// Appends events, each unless its message was appended before, and removes events past the limits.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) remembered: Ttl,
    pub(super) max_remembered: u32,
    pub(super) bounds: Bounds,
    pub(super) ttl: Ttl,
    pub(super) items: Vec<Item>,
}

/// An event to be appended.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) event: Bytes,
    /// Identifies the producer and its message. Empty for an event that is appended without a message id.
    pub(super) message: Arc<str>,
}

/// The limits on what a log keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) max_len: u32,
    pub(super) hard_max_len: u32,
    pub(super) max_age: Option<Ttl>,
}

impl Arg for Bounds {
    fn write(&self, args: &mut Args) {
        (self.max_len, (self.hard_max_len, self.max_age)).write(args);
    }
}

impl Arg for Item {
    fn write(&self, args: &mut Args) {
        (&self.event, &self.message).write(args);
    }
}

/// The outcome for one event, in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    New(EventId),
    Duplicate(EventId),
    /// The record is full: it can remember no more message ids.
    Full,
}

impl FromWire for Written {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.read::<(EventId, i64)>()? {
            (id, 1) => Ok(Self::New(id)),
            (id, 0) => Ok(Self::Duplicate(id)),
            (_, 2) => Ok(Self::Full),
            _ => Err(Wire::unexpected("the outcome of an append")),
        }
    }
}

/// The maximum number of message ids that one event forgets.
const FORGOTTEN: usize = 64;

/// The maximum number of events that one step removes, in addition to as many as it appends.
const REMOVED: usize = 63;

impl Program for Append {
    type Record = LogRecord;
    type Reply = Vec<Written>;

    const SCRIPT: &'static Script =
        &Script::new("log-append", Effect::Once, log_lua!("append.lua"));

    arguments!(remembered, max_remembered, bounds, ttl, items);

    fn step(&self, record: &mut Slot<'_, LogRecord>, now: Timestamp) -> Vec<Written> {
        let now_ms = millis(now);
        let oldest = record
            .get()
            .and_then(|log| log.events.keys().next().copied());
        let items = self.items.iter();
        let written: Vec<_> = items.map(|item| self.add(record, item, now_ms)).collect();
        let is_new = |written: &Written| matches!(written, Written::New(_));
        if written.iter().any(is_new)
            && let Some(log) = record.get_mut()
        {
            log.trim(self.bounds, oldest, REMOVED + self.items.len(), now_ms);
            record.wake();
        }
        written
    }
}

impl Append {
    fn add(&self, record: &mut Slot<'_, LogRecord>, item: &Item, now_ms: i64) -> Written {
        let message = &item.message;
        let max = self.max_remembered as usize;
        if !message.is_empty()
            && let Some(outcome) = record
                .get_mut()
                .and_then(|log| log.known(message, now_ms, max))
        {
            return outcome;
        }
        let log = record.update_or(self.ttl, LogRecord::default);
        log.last = log.last.next(now_ms);
        log.added += 1;
        let id = log.last;
        let kept = Kept {
            number: log.added,
            event: item.event.clone(),
        };
        log.events.insert(id, kept);
        if !message.is_empty() {
            let until = now_ms + self.remembered.as_millis() as i64;
            let before = log.messages.insert(message.clone(), (id, until));
            if let Some((_, before)) = before {
                log.forgotten_at.remove(&(before, message.clone()));
            }
            log.forgotten_at.insert((until, message.clone()));
        }
        Written::New(id)
    }
}

impl LogRecord {
    /// Returns the answer to a message that is not appended. None if it should be appended.
    fn known(&mut self, message: &Arc<str>, now_ms: i64, max: usize) -> Option<Written> {
        if let Some((id, until)) = self.messages.get(message)
            && *until > now_ms
        {
            return Some(Written::Duplicate(*id));
        }
        for _ in 0..FORGOTTEN {
            let Some(first) = self
                .forgotten_at
                .first()
                .filter(|first| first.0 <= now_ms)
                .cloned()
            else {
                break;
            };
            self.messages.remove(&first.1);
            self.forgotten_at.remove(&first);
        }
        (self.messages.len() >= max).then_some(Written::Full)
    }

    /// Removes events past a limit, oldest first: up to those that a group still needs, or past the hard
    /// bound.
    fn trim(&mut self, bounds: Bounds, oldest: Option<EventId>, most: usize, now_ms: i64) {
        let len = self.events.len();
        let excess = len.saturating_sub(bounds.max_len as usize);
        let past = len.saturating_sub(bounds.hard_max_len as usize);
        let kept_from = bounds.max_age.map(|age| now_ms - age.as_millis() as i64);
        let is_old = |id: EventId| kept_from.is_some_and(|from| id.ms() < from);
        let many = match oldest.is_some_and(is_old) {
            true => most,
            false => excess.min(most),
        };
        let is_needed = |id: EventId| self.groups.values().any(|group| group.needs(id));
        let first = self.events.keys().copied().take(many).enumerate();
        let cut: Vec<_> = first
            .take_while(|(i, id)| *i < excess || is_old(*id))
            .take_while(|(i, id)| *i < past || !is_needed(*id))
            .map(|(_, id)| id)
            .collect();
        for id in cut {
            self.events.remove(&id);
            for group in self.groups.values_mut() {
                // An event that was pending beyond the hard bound is lost for its group, which is told
                // so.
                group.lost += i64::from(group.pending.remove(&id).is_some());
            }
        }
    }
}
