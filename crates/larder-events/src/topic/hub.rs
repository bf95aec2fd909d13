use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::bus::{self, Bus, Channel, Event, SubscribeRequest, Subscription};
use larder_store::{Key, KeyId, Result};
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, broadcast};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::history::{History, PAGE};
use super::{Gap, Message, Position, envelope};

/// The subscription of the bus that all subscribers of a channel share. It ends with the last of them.
pub(super) struct Hub<T> {
    shared: Arc<Shared<T>>,
    task: OnceCell<AbortHandle>,
}

struct Shared<T> {
    topic: bus::Topic,
    look_every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// The position of the last event that was sent to the subscribers.
    position: Option<Position>,
    /// None once the subscription has ended.
    sender: Option<broadcast::Sender<Item<T>>>,
}

/// Where the history of a channel is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) history: History,
    pub(super) key: Key,
    pub(super) channel: Channel,
}

impl Place {
    pub(super) fn new(history: History, id: impl KeyId, channel: &Channel) -> Self {
        Self {
            key: history.key(id),
            history,
            channel: channel.clone(),
        }
    }
}

/// An event, as all subscribers share it.
pub(super) type Item<T> = Arc<Shown<T>>;

/// A message or a gap.
pub(super) enum Shown<T> {
    Message(Message<T>),
    Gap(Gap),
    /// A gap because the history has lost its end: its position may be before that of a subscriber.
    Reset(Gap),
}

/// How soon a look at the history that failed is repeated.
const FIRST_RETRY: Duration = Duration::from_millis(100);

impl<T> Hub<T> {
    pub(super) fn new(topic: bus::Topic, buffer: NonZeroUsize, look_every: Duration) -> Arc<Self> {
        let state = State {
            position: None,
            sender: Some(broadcast::Sender::new(buffer.get())),
        };
        let shared = Shared {
            topic,
            look_every,
            state: Mutex::new(state),
        };
        Arc::new(Self {
            shared: Arc::new(shared),
            task: OnceCell::new(),
        })
    }

    pub(super) fn topic(&self) -> bus::Topic {
        self.shared.topic
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shared.state().sender.is_none()
    }

    /// What is sent from now on, and the position of what was sent before.
    pub(super) fn listen(&self) -> (Option<broadcast::Receiver<Item<T>>>, Option<Position>) {
        let state = self.shared.state();
        let receiver = state.sender.as_ref().map(broadcast::Sender::subscribe);
        (receiver, state.position)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Hub<T> {
    /// Subscribes to the bus, unless that is done.
    pub(super) async fn start(
        &self,
        bus: &dyn Bus,
        request: SubscribeRequest,
        place: Option<Place>,
    ) -> Result<()> {
        let start = async || {
            let subscription = bus.subscribe(request).await?;
            // What comes after this position is received: the subscription was first.
            let mut found = 0;
            if let Some(place) = &place {
                let position = place.history.open(&place.key).await?;
                found = position.offset;
                self.shared.state().position = Some(position);
            }
            let feed = Feed {
                shared: self.shared.clone(),
                subscription,
                place,
                found,
                owes_gap: false,
                look_at: Instant::now() + self.shared.look_every,
                retry: FIRST_RETRY,
            };
            Ok(tokio::spawn(feed.run()).abort_handle())
        };
        self.task.get_or_try_init(start).await.map(|_| ())
    }
}

impl<T> Drop for Hub<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event, after which subscribers go on from `position`.
    fn send(&self, shown: Shown<T>, position: Option<Position>) {
        let mut state = self.state();
        state.position = position.or(state.position);
        if let Some(sender) = &state.sender {
            // A message without subscribers is not an error.
            let _ = sender.send(Arc::new(shown));
        }
    }

    fn gap(&self, lost: Option<u64>, position: Option<Position>) {
        self.send_gap(Shown::Gap(Gap { lost, position }), position);
    }

    /// Goes on from a position in another history, or one that may be before the last.
    fn reset(&self, position: Position) {
        let position = Some(position);
        let gap = Gap {
            lost: None,
            position,
        };
        self.send_gap(Shown::Reset(gap), position);
    }

    fn send_gap(&self, gap: Shown<T>, position: Option<Position>) {
        metrics::counter!("larder_topic_gaps_total", "topic" => self.topic.name()).increment(1);
        self.send(gap, position);
    }
}

/// Decodes an event. None, with a metric, for one that is none of `T`.
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

/// The task that passes the events of the bus on.
struct Feed<T> {
    shared: Arc<Shared<T>>,
    subscription: Subscription,
    /// None without a history.
    place: Option<Place>,
    /// The last offset that a look has found. Its message, and those before it, may arrive on the bus yet.
    found: i64,
    /// Something is missing that no look has found yet.
    owes_gap: bool,
    look_at: Instant,
    retry: Duration,
}

impl<T> Drop for Feed<T> {
    /// Subscribers learn that nothing follows, also if the runtime of the task has ended.
    fn drop(&mut self) {
        self.shared.state().sender = None;
    }
}

/// The result of a look at the history.
#[derive(PartialEq)]
enum Look {
    /// What was missing was sent.
    Done,
    /// There is no history: it has ended.
    None,
    /// The store did not answer. The look is repeated.
    Failed,
}

impl<T: DeserializeOwned> Feed<T> {
    async fn run(mut self) {
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
            return; // A look has found it before.
        }
        if is_before {
            // The bus has brought this offset before: the history has lost it, and given it to another message.
            self.shared.reset(Position {
                offset: at.offset - 1,
                ..at
            });
        }
        if is_before || (here.epoch == at.epoch && at.offset == here.offset + 1) {
            return deliver(&self.shared, message.channel, (position, position), &json);
        }
        // Those between are in the history, and this one with them.
        self.owes_gap = true;
        let look = self.look().await;
        let here = self.shared.state().position;
        let is_short = here.is_some_and(|here| here.epoch == at.epoch && here.offset < at.offset);
        match look {
            Look::Failed => return,
            Look::Done if !is_short => return,
            // The history has lost its end, and this message with it.
            Look::Done => self.shared.gap(None, None),
            // Those before it are in the gap.
            Look::None => self.found = at.offset,
        }
        deliver(&self.shared, message.channel, (position, position), &json);
    }

    /// Sends what the history has after the last position. If it has ended, what is missing is a gap.
    async fn look(&mut self) -> Look {
        let looked = match &self.place {
            Some(place) => catch_up(&self.shared, place, &mut self.found).await,
            None => Ok(Look::None),
        };
        match looked {
            Ok(look) => {
                self.retry = FIRST_RETRY;
                self.look_at = Instant::now() + self.shared.look_every;
                if std::mem::take(&mut self.owes_gap) && look == Look::None {
                    self.shared.gap(None, None);
                }
                look
            }
            Err(error) => {
                let topic = self.shared.topic.name();
                tracing::warn!(topic, %error, "the history of a topic cannot be read for now");
                self.look_at = Instant::now() + self.retry;
                self.retry = (self.retry * 2).min(self.shared.look_every);
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
            // Another history, or one that a failover has taken the end of: what it has is new.
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
        if found.messages.len() < PAGE as usize {
            return Ok(Look::Done);
        }
    }
}

/// Sends a message of a position, after which subscribers go on from another.
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
