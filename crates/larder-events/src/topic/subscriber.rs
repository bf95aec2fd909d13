use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use larder_store::Result;
use larder_store::bus::Channel;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::history::PAGE;
use super::hub::{Hub, Item, Place, Shown, decode};
use super::{Gap, Message, Position, Received, Recovered};

/// The messages of one subscriber. Dropping it ends the subscription.
pub struct Subscriber<T> {
    hub: Arc<Hub<T>>,
    /// None if the store has closed.
    receiver: Option<Receiver<Item<T>>>,
    /// What was published before, and is received first.
    replay: VecDeque<(Position, Bytes)>,
    replayed_from: Option<Channel>,
    /// The last position that was received, or is before all that is.
    position: Option<Position>,
}

impl<T> Subscriber<T> {
    pub(super) fn new(hub: Arc<Hub<T>>) -> Self {
        let (receiver, position) = hub.listen();
        Self {
            hub,
            receiver,
            replay: VecDeque::new(),
            replayed_from: None,
            position,
        }
    }

    /// Returns the position of the last event that was received, or where the subscriber began.
    ///
    /// Read it before the state that you show: it is what [`resume`](super::Topic::resume) takes. None if the
    /// topic keeps no history.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Returns whether an event was received before.
    fn is_past(&self, position: Option<Position>) -> bool {
        let (Some(here), Some(at)) = (self.position, position) else {
            return false;
        };
        here.epoch == at.epoch && at.offset <= here.offset
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Subscriber<T> {
    /// Waits for the next event. None once the store has closed and all events were received.
    ///
    /// # Cancellation
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Received<T>> {
        if let Some((position, json)) = self.replay.pop_front() {
            self.position = Some(position);
            return Some(self.replayed(position, &json));
        }
        loop {
            let received = match self.receiver.as_mut()?.recv().await {
                Ok(item) => item,
                Err(RecvError::Lagged(missed)) => {
                    let topic = self.hub.topic().name();
                    metrics::counter!("larder_topic_lagged_total", "topic" => topic)
                        .increment(missed);
                    return Some(Received::Lagged(missed));
                }
                Err(RecvError::Closed) => return None,
            };
            match &*received {
                Shown::Message(message) if !self.is_past(message.position) => {
                    self.go_to(message.position);
                    return Some(Received::Message(message.clone()));
                }
                Shown::Gap(gap) if !self.is_past(gap.position) => {
                    self.go_to(gap.position);
                    return Some(Received::Gap(*gap));
                }
                _ => {}
            }
        }
    }

    /// Turns the subscriber into a stream of its events, such as the body of server-sent events.
    pub fn into_stream(self) -> impl Stream<Item = Received<T>> + Send + 'static {
        unfold(self, async |mut subscriber| {
            let received = subscriber.next().await?;
            Some((received, subscriber))
        })
    }

    /// Reads what was published after `from`, to be received first.
    pub(super) async fn recover(&mut self, place: &Place, from: Position) -> Result<Recovered> {
        let (mut here, mut replay) = (from, VecDeque::new());
        loop {
            let found = place.history.after(&place.key, here).await?;
            if found.epoch != here.epoch || found.last < here.offset {
                return Ok(Recovered::No { lost: None });
            }
            if found.from > here.offset + 1 {
                let lost = Some((found.from - here.offset - 1).unsigned_abs());
                return Ok(Recovered::No { lost });
            }
            let is_last = found.messages.len() < PAGE as usize;
            for json in found.messages {
                here.offset += 1;
                replay.push_back((here, json));
            }
            if is_last {
                break;
            }
        }
        let replayed = replay.len() as u64;
        self.replay = replay;
        self.replayed_from = Some(place.channel.clone());
        self.position = Some(from);
        Ok(Recovered::Yes(replayed))
    }

    fn replayed(&self, position: Position, json: &[u8]) -> Received<T> {
        let position = Some(position);
        let decoded = decode(self.hub.topic(), json).zip(self.replayed_from.clone());
        match decoded {
            Some((value, channel)) => Received::Message(Message {
                value,
                position,
                channel,
            }),
            None => Received::Gap(Gap {
                lost: Some(1),
                position,
            }),
        }
    }

    /// Goes on from a position. Messages of other channels have positions of their own.
    fn go_to(&mut self, position: Option<Position>) {
        if self.position.is_some() {
            self.position = position.or(self.position);
        }
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("topic", &self.hub.topic())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
