use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;
use larder_store::bus::{self, Channel, Event, Subscription};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use super::shared::{Place, Shared, Shown};
use super::{Message, Position, envelope};
use crate::pause::drawn;

/// The delay before a failed look at the history is repeated, and before one that may find a loss.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The task that passes on the events of the bus.
pub(super) struct Feed<T> {
    shared: Arc<Shared<T>>,
    subscription: Subscription,
    /// None without a history.
    place: Option<Place>,
    /// The last offset that a look has found. Its message, and those before it, may still arrive on the bus.
    found: i64,
    /// A loss that no look has reported yet.
    owes_gap: bool,
    look_at: Instant,
    retry: Duration,
}

impl<T> Drop for Feed<T> {
    /// Subscribers learn that nothing follows, even if the runtime of the task has ended.
    fn drop(&mut self) {
        self.shared.state().sender = None;
    }
}

/// The result of a look at the history.
#[derive(PartialEq)]
enum Look {
    /// The missing messages were sent.
    Done,
    /// There is no history: it has expired.
    None,
    /// The store did not answer. The look is repeated.
    Failed,
}

impl<T: DeserializeOwned> Feed<T> {
    /// Makes the task; the history has been read up to the offset `found`.
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        subscription: Subscription,
        place: Option<Place>,
        found: i64,
    ) -> Self {
        Self {
            look_at: Instant::now() + shared.check_interval,
            shared,
            subscription,
            place,
            found,
            owes_gap: false,
            retry: FIRST_RETRY,
        }
    }

    /// Passes events on until the subscription ends.
    pub(super) async fn run(mut self) {
        loop {
            let event = tokio::select! {
                event = self.subscription.next() => event,
                () = sleep_until(self.look_at), if self.place.is_some() => {
                    self.look().await;
                    continue;
                }
            };
            match event {
                Some(Event::Message(message)) => self.message(message).await,
                Some(Event::Gap) if self.place.is_none() => self.shared.gap(None, None),
                Some(Event::Gap) => {
                    self.owes_gap = true;
                    self.look().await;
                }
                None => break,
            }
        }
    }

    async fn message(&mut self, message: bus::Message) {
        let Some((position, json)) = envelope::read(&message.payload) else {
            let topic = self.shared.topic.name();
            metrics::counter!("larder_topic_undecodable_total", "topic" => topic).increment(1);
            return self.shared.gap(None, None);
        };
        let here = self.shared.state().position;
        let (Some(_), Some(here), Some(at)) = (&self.place, here, position) else {
            return deliver(&self.shared, message.channel, (position, None), &json);
        };
        let is_before = here.epoch == at.epoch && at.offset <= here.offset;
        if is_before && at.offset <= self.found {
            // Either a look has already found it, or the history has lost the one that was found, and has given
            // its offset to this message: the next look decides, before further messages hide it.
            self.look_at = self.look_at.min(Instant::now() + FIRST_RETRY);
            return;
        }
        if is_before {
            // The bus has already brought this offset: the history has lost that message, and has given its
            // offset to another one.
            self.shared.reset(Position {
                offset: at.offset - 1,
                ..at
            });
        }
        if is_before || (here.epoch == at.epoch && at.offset == here.offset + 1) {
            return deliver(&self.shared, message.channel, (position, position), &json);
        }
        // The messages in between are in the history, and so is this one.
        self.owes_gap = true;
        let look = self.look().await;
        let here = self.shared.state().position;
        let is_short = here.is_some_and(|here| here.epoch == at.epoch && here.offset < at.offset);
        match look {
            Look::Failed => return,
            Look::Done if !is_short => return,
            // The history has lost its end, and this message with it.
            Look::Done => self.shared.gap(None, None),
            // The messages before it are in the gap.
            Look::None => self.found = at.offset,
        }
        deliver(&self.shared, message.channel, (position, position), &json);
    }

    /// Sends the messages of the history after the last position. If the history has expired, sends a gap.
    async fn look(&mut self) -> Look {
        let looked = match &self.place {
            Some(place) => catch_up(&self.shared, place, &mut self.found).await,
            None => Ok(Look::None),
        };
        match looked {
            Ok(look) => {
                self.retry = FIRST_RETRY;
                self.look_at = Instant::now() + self.shared.check_interval;
                if std::mem::take(&mut self.owes_gap) && look == Look::None {
                    self.shared.gap(None, None);
                }
                look
            }
            Err(error) => {
                let topic = self.shared.topic.name();
                tracing::warn!(topic, %error, "the history of a topic cannot be read; trying again");
                self.look_at = Instant::now() + drawn(self.retry);
                self.retry = (self.retry * 2).min(self.shared.check_interval);
                Look::Failed
            }
        }
    }
}

async fn catch_up<T: DeserializeOwned>(
    shared: &Shared<T>,
    place: &Place,
    last_found: &mut i64,
) -> Result<Look> {
    let Some(mut here) = shared.state().position else {
        return Ok(Look::None);
    };
    loop {
        let found = place.history.after(&place.key, here).await?;
        if found.epoch == 0 {
            return Ok(Look::None);
        }
        if found.epoch != here.epoch || found.last < here.offset {
            // It is a different history, or a failover has removed the end of this one: its messages are new.
            let offset = match found.epoch == here.epoch {
                true => found.last,
                false => found.first - 1,
            };
            let epoch = found.epoch;
            here = Position { epoch, offset };
            *last_found = here.offset;
            shared.reset(here);
            continue;
        }
        if found.from > here.offset + 1 {
            let lost = (found.from - here.offset - 1).unsigned_abs();
            here.offset = found.from - 1;
            shared.gap(Some(lost), Some(here));
        }
        for json in &found.messages {
            here.offset += 1;
            let position = (Some(here), Some(here));
            deliver(shared, place.channel.clone(), position, json);
            *last_found = here.offset;
        }
        if !found.has_more() {
            return Ok(Look::Done);
        }
    }
}

/// Sends the message at a position; subscribers then continue from another position.
fn deliver<T: DeserializeOwned>(
    shared: &Shared<T>,
    channel: Channel,
    (position, next): (Option<Position>, Option<Position>),
    json: &[u8],
) {
    match decode(shared.topic, json) {
        Some(value) => {
            let message = Message {
                value,
                position,
                channel,
            };
            shared.send(Shown::Message(message), next);
        }
        None => shared.gap(Some(1), next),
    }
}

/// Decodes an event. None, with a metric, for one that is not a `T`.
pub(super) fn decode<T: DeserializeOwned>(topic: bus::Topic, json: &[u8]) -> Option<Arc<T>> {
    let value = crate::json::decode(json).map(Arc::new);
    if value.is_none() {
        metrics::counter!("larder_topic_undecodable_total", "topic" => topic.name()).increment(1);
        tracing::warn!(
            topic = topic.name(),
            "a message is not of the type of the topic"
        );
    }
    value
}
