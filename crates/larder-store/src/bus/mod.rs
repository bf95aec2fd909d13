//! A bus delivers messages to its current subscribers.

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

/// The maximum length of a message in bytes: 64 KiB.
///
/// A message says that something happened; what happened belongs in the store.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The default number of messages that may wait for a subscriber.
pub const DEFAULT_BUFFER: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// An event of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// Messages may have been lost here: read the state that they would have announced.
    ///
    /// The subscriber was too slow, the connection was replaced, or the cluster changed.
    Gap,
}

/// A message that has arrived.
///
/// `Debug` shows its topic and its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel on which it was published.
    pub channel: Channel,
    /// The published bytes.
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

/// Sends messages to the current subscribers of a channel.
///
/// Each subscription gets a message at most once, even if it requested both the channel and its
/// topic. Messages that one caller publishes to one channel, one after the other, arrive in that
/// order, unless the store documents when it cannot keep it; there is no order between channels.
/// Messages are not kept for later subscribers.
///
/// When messages may have been lost, the subscription has a [gap](Event::Gap) in their place, and
/// later messages arrive as usual. The gap is delivered when the loss is over, so each store
/// documents how long a loss can go unnoticed. A subscription ends with the store: when its last
/// handle or capability is dropped, or when the server no longer allows the subscription.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a message to the current subscribers of `channel`. One round trip.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] past [`MAX_MESSAGE`]; otherwise those of [`Store`](crate::Store). A
    /// message is never sent twice.
    ///
    /// # Cancellation
    /// A dropped call may or may not have sent it.
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()>;

    /// Subscribes to channels and topics. One round trip; the first subscription also opens a
    /// connection.
    ///
    /// The call resolves once the server has confirmed it: messages published from then on arrive.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the request is empty, or asks for all channels of a
    /// [sharded](Topic::sharded) topic; [`Refusal::Full`](crate::Refusal::Full) at the store's
    /// maximum number of subscriptions, for which each channel of a request counts as one;
    /// otherwise those of [`Store`](crate::Store). A failed call leaves no subscription, so it may
    /// be repeated after any error.
    ///
    /// # Cancellation
    /// A dropped call leaves no subscription.
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription>;
}

/// Refuses a payload longer than [`MAX_MESSAGE`]. Backends call it first in
/// [publish](Bus::publish).
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
