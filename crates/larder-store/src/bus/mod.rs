//! Bus: messages to whoever listens now.

mod channel;
mod mailbox;
mod pattern;
mod subscribe_request;
mod topic;

use std::fmt;
use std::num::NonZeroUsize;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, ErrorKind, Result};

pub use channel::Channel;
pub use mailbox::{Mailbox, Subscription, mailbox};
pub use pattern::Pattern;
pub use subscribe_request::SubscribeRequest;
pub use topic::Topic;

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

/// One message, as it arrived. `Debug` shows its topic and its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel that it was published to.
    pub channel: Channel,
    /// What was published.
    pub payload: Bytes,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &self.channel)
            .field("bytes", &self.payload.len())
            .finish()
    }
}

/// The capability to send messages to whoever listens at the moment.
///
/// A message is delivered once or not at all to each subscription: one that is wanted by its
/// channel and by its topic comes once. What one caller publishes to one channel, one after the
/// other, arrives in that order; between channels there is none. Nothing is kept for those who come
/// later.
///
/// Whenever messages may have been lost the subscriber hears of a [gap](Event::Gap) in the place
/// where they are missing: after it, everything arrives again. A gap comes when the loss is over,
/// so a store says for how long it may go unnoticed. A subscription ends when the store does: when
/// the last handle of it and of its capabilities is dropped, or where the server lets it listen no
/// more.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a message to all who listen on `channel` now. One round trip.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] past [`MAX_MESSAGE`]; else as those of
    /// [`Store`](crate::Store). It is never sent twice.
    ///
    /// # Cancellation
    /// A dropped call may or may not have sent it.
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()>;

    /// Begins to listen. It resolves once the server has confirmed it: what is published from then
    /// on arrives. One round trip, and a connection of its own for the first subscriber.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where nothing is wanted, or all channels
    /// of a [sharded](Topic::sharded) topic; [`Refusal::Full`](crate::Refusal::Full) where the
    /// store has as many subscriptions as it takes, where one to several channels counts for each of
    /// them; else as those of [`Store`](crate::Store). What failed listens to nothing, so it may be
    /// tried again whatever the error.
    ///
    /// # Cancellation
    /// A dropped call listens to nothing.
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription>;
}

/// Refuses a payload that is longer than [`MAX_MESSAGE`]: the first thing that each
/// [publish](Bus::publish) does.
///
/// # Errors
/// [`ErrorKind::TooLarge`].
pub fn check_message(payload: &[u8]) -> Result<()> {
    if payload.len() <= MAX_MESSAGE {
        return Ok(());
    }
    let text = format!(
        "a message is at most {MAX_MESSAGE} bytes: put what is longer into the store, and publish \
         its key"
    );
    Err(Error::new("publish", ErrorKind::TooLarge, text))
}
