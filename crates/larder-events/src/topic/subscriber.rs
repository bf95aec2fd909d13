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

use super::feed::decode;
use super::hub::Hub;
use super::shared::{Item, Place, Shown};
use super::{Gap, Message, Position, Received, Recovered};

/// The messages of one subscriber. Dropping it ends the subscription.
pub struct Subscriber<T> {
    hub: Arc<Hub<T>>,
    /// None if the store has closed.
    receiver: Option<Receiver<Item<T>>>,
    /// The next messages of the history, which are received first: at most a page.
    replay: Replay,
    /// Whether more of the history must be read before the receiver continues.
    is_behind: bool,
    /// The number of events that the receiver missed, but the history may still have.
    missed: u64,
    /// None without a history.
    place: Option<Place>,
    /// The last received position, or the one before the first event.
    position: Option<Position>,
}

/// Messages of the history, with their positions.
type Replay = VecDeque<(Position, Bytes)>;

/// The messages of the history after a position.
struct ReplayPage {
    replay: Replay,
    /// The number of messages before them that the history no longer has.
    lost: u64,
    /// The number of messages after the position, including lost ones.
    many: u64,
    /// Whether there are more after these.
    has_more: bool,
}

impl<T> Subscriber<T> {
    pub(super) fn new(hub: Arc<Hub<T>>, place: Option<Place>) -> Self {
        let (receiver, position) = hub.listen();
        Self {
            hub,
            receiver,
            replay: Replay::new(),
            is_behind: false,
            missed: 0,
            place,
            position,
        }
    }

    /// Returns the position of the last event that was received, or where the subscriber began.
    ///
    /// Read it before the state that you show, and pass it to [`resume`](super::Topic::resume) later. None if
    /// the topic keeps no history.
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
    /// Waits for the next event. Returns None once the store has closed and all events were received.
    ///
    /// # Cancellation
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Received<T>> {
        loop {
            if let Some((position, json)) = self.replay.pop_front() {
                self.position = Some(position);
                return Some(self.replayed(position, &json));
            }
            if self.is_behind {
                match self.read_on().await {
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
                    self.missed += missed;
                    self.is_behind = true;
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
                Shown::Reset(gap) => {
                    self.go_to(gap.position);
                    return Some(Received::Gap(*gap));
                }
                Shown::Message(_) | Shown::Gap(_) => {}
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

    /// Goes back to `from`, if the history has all messages after it.
    pub(super) async fn recover(&mut self, from: Position) -> Result<Recovered> {
        Ok(match self.page_after(from).await? {
            Some(page) if page.lost == 0 => {
                self.position = Some(from);
                self.missed = page.many;
                self.take_over(page);
                let many = self.missed + self.replay.len() as u64;
                Recovered::Complete(many)
            }
            Some(page) => Recovered::Incomplete {
                lost: Some(page.lost),
            },
            None => Recovered::Incomplete { lost: None },
        })
    }

    /// Reads the next page of the history, and returns how many of its messages are lost.
    async fn read_on(&mut self) -> u64 {
        let found = match self.position {
            Some(from) => self.page_after(from).await,
            None => Ok(None),
        };
        if let Ok(Some(page)) = found {
            let lost = page.lost;
            self.take_over(page);
            return lost;
        }
        if found.is_ok() && self.position.is_some() {
            // In another history, every message that follows is new.
            self.position = Some(Position::NOWHERE);
        }
        // All of them are reported as missed: the number is unknown, or the store does not answer.
        self.is_behind = false;
        std::mem::take(&mut self.missed)
    }

    fn take_over(&mut self, page: ReplayPage) {
        let found = page.lost + page.replay.len() as u64;
        self.is_behind = page.has_more;
        self.missed = match page.has_more {
            true => self.missed.saturating_sub(found),
            false => 0,
        };
        self.replay = page.replay;
    }

    /// Reads the messages of the history after a position. None if it is another history. One round trip.
    async fn page_after(&self, from: Position) -> Result<Option<ReplayPage>> {
        let Some(place) = &self.place else {
            return Ok(None);
        };
        let found = place.history.after(&place.key, from).await?;
        if found.epoch != from.epoch || found.last < from.offset {
            return Ok(None);
        }
        let has_more = found.has_more();
        let positions = (found.from..).map(|offset| Position { offset, ..from });
        Ok(Some(ReplayPage {
            replay: positions.zip(found.messages).collect(),
            lost: (found.from - from.offset - 1).unsigned_abs(),
            many: (found.last - from.offset).unsigned_abs(),
            has_more,
        }))
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

    /// Continues from a position. Messages of other channels have positions of their own.
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
