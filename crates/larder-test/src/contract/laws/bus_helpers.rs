use std::time::Duration;

use bytes::Bytes;
use larder_store::KeyId;
use larder_store::bus::{Bus, Channel, Event, SubscribeRequest, Subscription, Topic};
use tokio::time::timeout;

use super::scene::{Scene, same_bytes};
use super::{Outcome, Violation};

pub(super) const FILM: Topic = Topic::broadcast("law-film");
/// A topic whose name begins with the name of another topic.
pub(super) const FILMS: Topic = Topic::broadcast("law-films");
pub(super) const SEAT: Topic = Topic::sharded("law-seat");

/// The maximum time that a message may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Scene<'_> {
    pub(super) fn film(&self, id: usize) -> Channel {
        self.channel(FILM, id as u64)
    }

    /// Returns a channel that only this law uses, even on a shared server.
    pub(super) fn channel(&self, topic: Topic, id: impl KeyId) -> Channel {
        Channel::new(topic, (self.run, id))
    }

    pub(super) async fn hearing(
        &self,
        bus: &dyn Bus,
        request: SubscribeRequest,
    ) -> Outcome<Hearing> {
        Ok(Hearing {
            subscription: bus.subscribe(request).await?,
            mine: format!("{{{}:", self.run),
        })
    }
}

/// A subscription, with checks of its next event.
pub(super) struct Hearing {
    subscription: Subscription,
    /// The prefix of all ids of this law.
    mine: String,
}

impl Hearing {
    /// Returns the next event of this law: a message to one of its channels, or a gap.
    pub(super) async fn next(&mut self) -> Outcome<Event> {
        loop {
            match timeout(PATIENCE, self.subscription.next()).await {
                Ok(Some(Event::Message(message)))
                    if !message.channel.as_str().contains(&self.mine) => {}
                Ok(Some(event)) => return Ok(event),
                Ok(None) => return Err(Violation::new("expected an event, got the end")),
                Err(_) => {
                    let text = format!("expected an event, got none for {PATIENCE:?}");
                    return Err(Violation::new(text));
                }
            }
        }
    }

    /// Checks that the next event is this message.
    pub(super) async fn hears(&mut self, channel: &Channel, payload: impl Into<Bytes>) -> Outcome {
        match self.next().await? {
            Event::Message(message) => {
                let (is, expected) = (message.channel.as_str(), channel.as_str());
                ensure_eq!(is, expected, "the channel of a message");
                same_bytes(&message.payload, &payload.into(), "a message")
            }
            Event::Gap => Err(Violation::new("expected a message, got a gap")),
        }
    }
}
