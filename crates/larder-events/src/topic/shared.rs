use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::bus::{self, Channel};
use larder_store::{Key, KeyId};
use tokio::sync::broadcast;

use super::history::History;
use super::{Gap, Message, Position};

/// The state that the task of the hub and its subscribers share.
pub(super) struct Shared<T> {
    pub(super) topic: bus::Topic,
    pub(super) check_interval: Duration,
    state: Mutex<State<T>>,
}

pub(super) struct State<T> {
    /// The position of the last event that was sent to the subscribers.
    pub(super) position: Option<Position>,
    /// None once the subscription has ended.
    pub(super) sender: Option<broadcast::Sender<Item<T>>>,
}

/// The place of a channel's history.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) history: History,
    pub(super) key: Key,
    pub(super) channel: Channel,
}

impl Place {
    pub(super) fn new(history: History, id: impl KeyId, channel: &Channel) -> Self {
        Self {
            key: history.key(id),
            history,
            channel: channel.clone(),
        }
    }
}

/// An event, as all subscribers share it.
pub(super) type Item<T> = Arc<Shown<T>>;

/// A message or a gap.
pub(super) enum Shown<T> {
    Message(Message<T>),
    Gap(Gap),
    /// A gap because the history has lost its end: its position may be before that of a subscriber.
    Reset(Gap),
}

impl<T> Shared<T> {
    pub(super) fn new(topic: bus::Topic, buffer: NonZeroUsize, check_interval: Duration) -> Self {
        let state = State {
            position: None,
            sender: Some(broadcast::Sender::new(buffer.get())),
        };
        Self {
            topic,
            check_interval,
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event; subscribers then continue from `position`.
    pub(super) fn send(&self, shown: Shown<T>, position: Option<Position>) {
        let mut state = self.state();
        state.position = position.or(state.position);
        if let Some(sender) = &state.sender {
            // A message without subscribers is not an error.
            let _ = sender.send(Arc::new(shown));
        }
    }

    pub(super) fn gap(&self, lost: Option<u64>, position: Option<Position>) {
        self.send_gap(Shown::Gap(Gap { lost, position }), position);
    }

    /// Continues from a position in another history, or one that may be before the last.
    pub(super) fn reset(&self, position: Position) {
        let position = Some(position);
        let gap = Gap {
            lost: None,
            position,
        };
        self.send_gap(Shown::Reset(gap), position);
    }

    fn send_gap(&self, gap: Shown<T>, position: Option<Position>) {
        metrics::counter!("larder_topic_gaps_total", "topic" => self.topic.name()).increment(1);
        self.send(gap, position);
    }
}
