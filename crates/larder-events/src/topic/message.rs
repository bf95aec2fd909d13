use std::fmt;
use std::sync::Arc;

use larder_store::bus::Channel;

use super::Position;

/// An item that a subscriber receives.
#[non_exhaustive]
pub enum Received<T> {
    /// A message.
    Message(Message<T>),
    /// The subscriber was too slow, and missed this many events. It continues with the oldest one that is
    /// kept.
    Lagged(u64),
    /// Messages are missing here: read the state that they would have announced.
    Gap(Gap),
}

/// A message that was published. Clones share its value.
#[non_exhaustive]
pub struct Message<T> {
    /// The published value. All subscribers in this process share it.
    pub value: Arc<T>,
    /// Its position in the history. None if the publisher keeps no history.
    pub position: Option<Position>,
    /// The channel on which it came, which holds the id.
    pub channel: Channel,
}

/// Marks a place where messages are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// How many are missing. None if that cannot be known.
    pub lost: Option<u64>,
    /// The position from which the subscriber continues. None if the topic keeps no history.
    pub position: Option<Position>,
}

/// Whether a subscriber that resumed has missed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "if it could not resume, read the state again"]
pub enum Recovered {
    /// Nothing is missing: this many messages are received first, and then new ones.
    ///
    /// They are read as they are received. If the history loses some of them by then, they are reported as
    /// [`Lagged`](Received::Lagged).
    Complete(u64),
    /// Messages are missing, with their number if it is known. Read the state again: the subscriber receives
    /// messages published from its [position](super::Subscriber::position) on.
    Incomplete {
        /// How many. None if the history expired meanwhile, or never contained the position.
        lost: Option<u64>,
    },
}

impl Recovered {
    /// Returns whether nothing is missing.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Complete(_))
    }
}

impl<T> fmt::Debug for Received<T> {
    /// Shows no value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => message.fmt(f),
            Self::Lagged(missed) => f.debug_tuple("Lagged").field(missed).finish(),
            Self::Gap(gap) => gap.fmt(f),
        }
    }
}

impl<T> Clone for Message<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            position: self.position,
            channel: self.channel.clone(),
        }
    }
}

impl<T> fmt::Debug for Message<T> {
    /// Shows the topic and the position, never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &self.channel)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
