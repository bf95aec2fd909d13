use std::fmt;

use super::EventId;
use super::reads::{DeadEvent, Events, State};

/// Identifies a message of a producer. Both texts are 1 to 256 bytes.
#[derive(Clone, Copy, Debug)]
pub struct MessageId<'a> {
    /// The name of the producer, such as a service or a table.
    pub producer: &'a str,
    /// The id of the message within the producer.
    pub id: &'a str,
}

/// The outcome of appending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was appended, and its event has this id.
    New(EventId),
    /// It had been appended before, and its event has this id.
    Duplicate(EventId),
}

impl Appended {
    /// Returns the id of the event.
    pub fn id(self) -> EventId {
        match self {
            Self::New(id) | Self::Duplicate(id) => id,
        }
    }
}

/// Where a group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest stored event.
    #[default]
    First,
    /// With events that are appended after the group was created.
    Now,
    /// With the event after an id. The id of the last event, or a later one, means [`Now`](Self::Now).
    After(EventId),
}

/// An event that was read. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored<T> {
    /// Its id.
    pub id: EventId,
    /// The event. None if it is not a `T`.
    pub event: Option<T>,
}

/// Some events of a log, and the start of the next page.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The events, oldest first.
    pub events: Vec<Stored<T>>,
    /// The id from which to continue. None if there are no more events at present.
    pub next: Option<EventId>,
}

impl<T> Page<T> {
    pub(super) fn new(
        (has_more, found): Events,
        decode: impl Fn(Option<&[u8]>) -> Option<T>,
    ) -> Self {
        let next = found.last().map(|(id, _)| *id).filter(|_| has_more);
        let events = found.into_iter().map(|(id, event)| Stored {
            id,
            event: decode(event.as_deref()),
        });
        Self {
            events: events.collect(),
            next,
        }
    }
}

/// An event that no consumer of a group could handle. `Debug` shows neither the event nor the reason.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter<T> {
    /// The id of the dead letter.
    pub id: EventId,
    /// The group.
    pub group: String,
    /// The id of the event.
    pub event_id: EventId,
    /// How many times it was delivered.
    pub deliveries: u32,
    /// Why it became a dead letter.
    pub reason: String,
    /// The event. None if it is not a `T`.
    pub event: Option<T>,
}

impl<T> DeadLetter<T> {
    pub(super) fn new(
        (id, group, event_id, deliveries, reason, event): DeadEvent,
        decode: impl Fn(Option<&[u8]>) -> Option<T>,
    ) -> Self {
        Self {
            id,
            group,
            event_id,
            deliveries,
            reason,
            event: decode(Some(&event)),
        }
    }
}

impl<T> fmt::Debug for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("id", &self.id)
            .field("is_readable", &self.event.is_some())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("events", &self.events)
            .field("next", &self.next)
            .finish()
    }
}

impl<T> fmt::Debug for DeadLetter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("group", &self.group)
            .field("event_id", &self.event_id)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}

/// The content of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogInfo {
    /// How many events are stored.
    pub len: u64,
    /// How many were ever appended.
    pub appended: u64,
    /// The id of the oldest stored event.
    pub first: Option<EventId>,
    /// The id of the last event, even if it is removed.
    pub last: Option<EventId>,
    /// How many dead letters are stored.
    pub dead_letters: u64,
    /// The groups, by their names.
    pub groups: Vec<GroupInfo>,
}

/// The progress of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// How many stored events no consumer of the group has had.
    pub lag: u64,
    /// How many are delivered and not acknowledged.
    pub pending: u64,
    /// How many were removed before the group was done with them.
    pub lost: u64,
    /// How many are pending at each consumer that has any. Those of `(returned)` are due to be delivered again.
    pub consumers: Vec<(String, u64)>,
}

impl From<State> for LogInfo {
    fn from(state: State) -> Self {
        let State { len, added, .. } = state;
        let is_used = |id: &EventId| *id != EventId::ZERO;
        let removed = added.saturating_sub(len);
        let groups = state.groups.into_iter().map(|(name, group)| GroupInfo {
            name,
            lag: added.saturating_sub(group.read.max(removed)),
            pending: group.pending,
            lost: group.lost + removed.saturating_sub(group.read),
            consumers: group.consumers,
        });
        Self {
            len,
            appended: added,
            first: Some(state.first).filter(is_used),
            last: Some(state.last).filter(is_used),
            dead_letters: state.dead,
            groups: groups.collect(),
        }
    }
}
