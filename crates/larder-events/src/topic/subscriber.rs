use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use larder_store::Result;
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
    /// How many events it was too slow for, which the history may still have.
    missed: u64,
    /// None without a history.
    place: Option<Place>,
    /// The last position that was received, or is before all that is.
    position: Option<Position>,
}

impl<T> Subscriber<T> {
    pub(super) fn new(hub: Arc<Hub<T>>, place: Option<Place>) -> Self {
        let (receiver, position) = hub.listen();
        Self {
            hub,
            receiver,
            replay: VecDeque::new(),
            missed: 0,
            place,
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
        loop {
            if let Some((position, json)) = self.replay.pop_front() {
                self.position = Some(position);
                return Some(self.replayed(position, &json));
            }
            if self.missed > 0 {
                if self.catch_up().await {
                    continue;
                }
                return Some(Received::Lagged(std::mem::take(&mut self.missed)));
            }
            let received = match self.receiver.as_mut()?.recv().await {
                Ok(item) => item,
                Err(RecvError::Lagged(missed)) => {
                    let topic = self.hub.topic().name();
                    metrics::counter!("larder_topic_lagged_total", "topic" => topic)
                        .increment(missed);
                    self.missed = missed;
                    continue;
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
    pub(super) async fn recover(&mut self, from: Position) -> Result<Recovered> {
        let Some(place) = &self.place else {
            return Ok(Recovered::No { lost: None });
        };
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
        self.position = Some(from);
        Ok(Recovered::Yes(replayed))
    }

    /// Reads what it was too slow for from the history, and returns whether that has it all.
    async fn catch_up(&mut self) -> bool {
        let Some(from) = self.position else {
            return false;
        };
        // If the store does not answer, what was missed is told.
        let is_complete = self.recover(from).await.is_ok_and(Recovered::is_complete);
        if is_complete {
            self.missed = 0;
        }
        is_complete
    }

    fn replayed(&self, position: Position, json: &[u8]) -> Received<T> {
        let position = Some(position);
        let decoded = decode(self.hub.topic(), json).zip(self.place.as_ref());
        match decoded {
            Some((value, place)) => Received::Message(Message {
                value,
                position,
                channel: place.channel.clone(),
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
