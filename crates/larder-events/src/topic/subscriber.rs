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
    replay: Replay,
    /// How many events it was too slow for, which the history may still have.
    missed: u64,
    /// None without a history.
    place: Option<Place>,
    /// The last position that was received, or is before all that is.
    position: Option<Position>,
}

/// Messages of the history, with their positions.
type Replay = VecDeque<(Position, Bytes)>;

impl<T> Subscriber<T> {
    pub(super) fn new(hub: Arc<Hub<T>>, place: Option<Place>) -> Self {
        let (receiver, position) = hub.listen();
        Self {
            hub,
            receiver,
            replay: Replay::new(),
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
                match self.catch_up().await {
                    0 => continue,
                    lost => return Some(Received::Lagged(lost)),
                }
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

    /// Reads what was published after `from`, to be received first, if the history has it all.
    pub(super) async fn recover(&mut self, from: Position) -> Result<Recovered> {
        Ok(match self.read_after(from).await? {
            Some((0, replay)) => {
                let replayed = replay.len() as u64;
                self.replay = replay;
                self.position = Some(from);
                Recovered::Yes(replayed)
            }
            Some((lost, _)) => Recovered::No { lost: Some(lost) },
            None => Recovered::No { lost: None },
        })
    }

    /// Reads what it was too slow for, and returns how much of it the history has not.
    async fn catch_up(&mut self) -> u64 {
        let found = match self.position {
            Some(from) => self.read_after(from).await,
            None => Ok(None),
        };
        // If the store does not answer, all of it is told.
        let missed = std::mem::take(&mut self.missed);
        let Ok(Some((lost, replay))) = found else {
            return missed;
        };
        self.replay = replay;
        lost
    }

    /// What the history has after a position, and how much of it is missing. None if it is another history.
    async fn read_after(&self, from: Position) -> Result<Option<(u64, Replay)>> {
        let Some(place) = &self.place else {
            return Ok(None);
        };
        let (mut here, mut lost, mut replay) = (from, 0, Replay::new());
        loop {
            let found = place.history.after(&place.key, here).await?;
            if found.epoch != here.epoch || found.last < here.offset {
                return Ok(None);
            }
            lost += (found.from - here.offset - 1).unsigned_abs();
            here.offset = found.from - 1;
            let is_last = found.messages.len() < PAGE as usize;
            for json in found.messages {
                here.offset += 1;
                replay.push_back((here, json));
            }
            if is_last {
                return Ok(Some((lost, replay)));
            }
        }
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
