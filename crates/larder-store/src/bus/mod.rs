//! Bus: messages to whoever listens now.

mod channel;
mod mailbox;

use std::num::NonZeroUsize;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, ErrorKind, Namespace, Result};

pub use channel::{Channel, Pattern, Topic};
pub use mailbox::{Mailbox, Subscription, mailbox};

/// The longest message, in bytes: 64 KiB. A message says that something happened; what happened
/// belongs in the store.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// How many messages wait for a subscriber unless it is told otherwise.
pub const DEFAULT_BUFFER: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// Messages may have been lost here: the subscriber was too slow, the connection was replaced,
    /// or the cluster changed. Read what they would have told.
    Gap,
}

/// One message, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel that it was published to.
    pub channel: Channel,
    /// What was published.
    pub payload: Bytes,
}

/// What one subscriber wants to hear.
#[derive(Clone, Debug)]
pub struct Interest {
    channels: Vec<Channel>,
    patterns: Vec<Pattern>,
    buffer: NonZeroUsize,
}

impl Default for Interest {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            patterns: Vec::new(),
            buffer: DEFAULT_BUFFER,
        }
    }
}

impl Interest {
    /// One channel.
    pub fn in_channel(channel: Channel) -> Self {
        Self::default().and_channel(channel)
    }

    /// All channels of a topic, which has to be a [broadcast](Topic::broadcast) one.
    pub fn in_all_of(topic: Topic) -> Self {
        Self::default().and_all_of(topic)
    }

    /// One channel more.
    #[must_use]
    pub fn and_channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// All channels of one topic more.
    #[must_use]
    pub fn and_all_of(mut self, topic: Topic) -> Self {
        self.patterns.push(Pattern::all_of(topic));
        self
    }

    /// How many messages may wait; past it the subscriber hears of a [gap](Event::Gap).
    /// [`DEFAULT_BUFFER`] unless it is set.
    #[must_use]
    pub fn with_buffer(mut self, messages: NonZeroUsize) -> Self {
        self.buffer = messages;
        self
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The topics of which all channels are wanted.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The same wish inside `namespace`. What it hears has to be seen from there, too:
    /// [`Subscription::seen_from`].
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        Self {
            channels: self
                .channels
                .iter()
                .map(|channel| channel.within(namespace))
                .collect(),
            patterns: self
                .patterns
                .iter()
                .map(|pattern| pattern.within(namespace))
                .collect(),
            buffer: self.buffer,
        }
    }

    /// Refuses what no store can listen to: the first thing that each of them does.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn check(&self) -> Result<()> {
        let invalid = |text| Err(Error::new("subscribe", ErrorKind::Invalid, text));
        if self.channels.is_empty() && self.patterns.is_empty() {
            return invalid("nothing is listened to: name a channel or a topic".to_owned());
        }
        match self
            .patterns
            .iter()
            .find(|pattern| pattern.topic().is_sharded())
        {
            Some(pattern) => invalid(format!(
                "topic '{}' is sharded: listen to its channels, or make it Topic::broadcast",
                pattern.topic().name()
            )),
            None => Ok(()),
        }
    }

    /// How many messages may wait.
    pub fn buffer(&self) -> NonZeroUsize {
        self.buffer
    }
}

/// The capability to send messages to whoever listens at the moment.
///
/// A message is delivered once or not at all to each subscription: one that is wanted by its
/// channel and by its topic comes once. What one caller publishes to one channel, one after the
/// other, arrives in that order. Whenever messages may have been lost the subscriber hears of a
/// [gap](Event::Gap) in the place where they are missing.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a message to all who listen on `channel` now. One round trip.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) past [`MAX_MESSAGE`]; else as those of
    /// [`Store`](crate::Store). It is never sent twice.
    ///
    /// # Cancellation
    /// A dropped call may or may not have sent it.
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()>;

    /// Begins to listen. It resolves once the server has confirmed it: what is published from then
    /// on arrives. One round trip, and a connection of its own for the first subscriber.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where nothing is wanted, or all channels
    /// of a [sharded](Topic::sharded) topic; [`Refusal::Full`](crate::Refusal::Full) where the
    /// store has as many subscriptions as it takes; else as those of [`Store`](crate::Store).
    ///
    /// # Cancellation
    /// A dropped call listens to nothing.
    async fn subscribe(&self, interest: Interest) -> Result<Subscription>;
}
