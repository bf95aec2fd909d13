use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::EventId;
use super::record::{Kept, LogRecord, log_lua, millis};

/// Appends an event, unless its message was appended before, and removes what is past the bounds.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) event: Bytes,
    /// Names the producer and its message. Empty for an event that is appended without a name.
    pub(super) message: Arc<str>,
    pub(super) remembered: Ttl,
    pub(super) max_remembered: u32,
    pub(super) bounds: Bounds,
    pub(super) ttl: Ttl,
}

/// What a log keeps.
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

/// The outcome of an append, in the store.
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

/// How much one append removes at most of each thing.
const REMOVED: usize = 64;

impl Program for Append {
    type Record = LogRecord;
    type Reply = Written;

    const SCRIPT: &'static Script =
        &Script::new("log-append", Effect::Once, log_lua!("append.lua"));

    arguments!(event, message, remembered, max_remembered, bounds, ttl);

    fn step(&self, record: &mut Slot<'_, LogRecord>, now: Timestamp) -> Written {
        let now_ms = millis(now);
        if !self.message.is_empty() {
            let max = self.max_remembered as usize;
            if let Some(outcome) = record
                .get_mut()
                .and_then(|log| log.known(&self.message, now_ms, max))
            {
                return outcome;
            }
        }
        let log = record.update_or(self.ttl, LogRecord::default);
        let oldest = log.events.first_key_value().map(|(id, _)| *id);
        log.last = log.last.next(now_ms);
        log.added += 1;
        let id = log.last;
        let kept = Kept {
            number: log.added,
            event: self.event.clone(),
        };
        log.events.insert(id, kept);
        log.trim(self.bounds, oldest, now_ms);
        if !self.message.is_empty() {
            let until = now_ms + self.remembered.as_millis() as i64;
            let before = log.messages.insert(self.message.clone(), (id, until));
            if let Some((_, before)) = before {
                log.forgotten_at.remove(&(before, self.message.clone()));
            }
            log.forgotten_at.insert((until, self.message.clone()));
        }
        record.wake();
        Written::New(id)
    }
}

impl LogRecord {
    /// Returns the answer to a message that is not appended. None if it is to be appended.
    fn known(&mut self, message: &Arc<str>, now_ms: i64, max: usize) -> Option<Written> {
        if let Some((id, until)) = self.messages.get(message)
            && *until > now_ms
        {
            return Some(Written::Duplicate(*id));
        }
        for _ in 0..REMOVED {
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

    /// Removes what is past a bound, oldest first: up to what a group still needs, or past the hard bound.
    fn trim(&mut self, bounds: Bounds, oldest: Option<EventId>, now_ms: i64) {
        let len = self.events.len();
        let excess = len.saturating_sub(bounds.max_len as usize);
        let past = len.saturating_sub(bounds.hard_max_len as usize);
        let kept_from = bounds.max_age.map(|age| now_ms - age.as_millis() as i64);
        let is_old = |id: EventId| kept_from.is_some_and(|from| id.ms() < from);
        let many = match oldest.is_some_and(is_old) {
            true => REMOVED,
            false => excess.min(REMOVED),
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
                // What was pending past the hard bound is lost for its group, which is told of it.
                group.lost += i64::from(group.pending.remove(&id).is_some());
            }
        }
    }
}
