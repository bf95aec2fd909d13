//! Topics: typed messages to current subscribers, and a short history for subscribers that resume.

mod envelope;
mod feed;
mod history;
mod hub;
mod message;
mod position;
mod shared;
mod subscriber;
#[cfg(test)]
mod traces;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use larder_store::bus::{self, Bus, Channel, SubscribeRequest};
use larder_store::program::Programs;
use larder_store::{KeyId, Result, Store, StoreExt, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use history::{HistoryRecord, InspectHistory};
pub use message::{Gap, Message, Received, Recovered};
pub use position::Position;
pub use subscriber::Subscriber;

use history::History;
use hub::Hub;
use shared::Place;

/// The maximum length of a message as JSON, in bytes: 63 KiB.
pub const MAX_MESSAGE: usize = bus::MAX_MESSAGE - 1024;

/// The default number of events that may wait for one subscriber: 64.
pub const DEFAULT_BUFFER: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The maximum number of events that may wait for one subscriber: 65,536.
pub const MAX_BUFFER: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The default interval at which a subscriber checks the history for messages that were not announced: 15 s.
pub const DEFAULT_CHECK_INTERVAL: Duration = Duration::from_secs(15);

/// The minimum and maximum of that interval.
const CHECK_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(86_400));

/// Sends typed messages to the current subscribers of an id, and lets subscribers resume after an interruption.
///
/// # Rules
/// 1. A subscriber receives the messages of an id in the order of their positions, each once.
/// 2. Where messages are missing it receives a [`Gap`], and where it was too slow
///    [`Lagged`](Received::Lagged) with their number. No loss goes unreported.
/// 3. With a [history](Self::with_history) both are filled from the history; only messages that it no longer has
///    are reported. A message that was published, but not announced because its publisher died in between,
///    arrives with the next one, or within [`with_check_interval`](Self::with_check_interval).
/// 4. [`resume`](Self::resume) continues after a [`Position`] without loss, or reports that it cannot.
/// 5. All subscribers of an id in this process share one subscription of the bus, and one decoded value.
/// 6. A message that is not a `T` is a gap and counted by a metric, never a panic.
/// 7. If a history has lost its last messages, as may happen in a failover, subscribers receive a gap.
///
/// Messages are JSON. Publishing takes one round trip, or two with a history. Subscribing takes one, or two with
/// a history, and none if this process has a subscriber of the id; resuming takes one more for each 64 messages,
/// or megabyte of them, which are read as they are received.
///
/// ```
/// use std::sync::Arc;
///
/// use larder_events::topic::{Received, Topic};
/// use larder_store::{Result, Store, bus};
///
/// const SEATS: bus::Topic = bus::Topic::sharded("seats");
///
/// async fn watch(store: Arc<dyn Store>, showing: u32) -> Result<()> {
///     let seats = Topic::<String>::new(store, SEATS)?;
///     let mut subscriber = seats.subscribe(showing).await?;
///     seats.publish(showing, &"F12 is sold".to_owned()).await?;
///     while let Some(received) = subscriber.next().await {
///         match received {
///             Received::Message(message) => println!("{}", message.value),
///             _ => println!("messages are missing: read the seats again"),
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// # Deployment caveats
/// A history is as safe as its store: a failover may lose its last messages together with their positions, which
/// are then given to others. A subscriber notices that unless it was away meanwhile and the history has grown
/// past its position since. Pub/sub of Redis reaches current subscribers only. For a reader that must not miss
/// an event, however long it was away, use an [event log](crate::log).
pub struct Topic<T> {
    bus: Arc<dyn Bus>,
    /// The store of histories, if it can keep any.
    programs: Option<Arc<dyn Programs>>,
    topic: bus::Topic,
    history: Option<History>,
    buffer: NonZeroUsize,
    check_interval: Duration,
    hubs: Hubs<T>,
}

/// The subscriptions of the bus that subscribers in this process share.
type Hubs<T> = Arc<Mutex<HashMap<Option<Channel>, Weak<Hub<T>>>>>;

impl<T> Topic<T> {
    /// Makes a topic without a history.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the store has no bus.
    pub fn new(store: Arc<dyn Store>, topic: bus::Topic) -> Result<Self> {
        crate::describe_metrics();
        Ok(Self {
            bus: store.clone().require_bus("a topic")?,
            programs: store.programs(),
            topic,
            history: None,
            buffer: DEFAULT_BUFFER,
            check_interval: DEFAULT_CHECK_INTERVAL,
            hubs: Hubs::default(),
        })
    }

    /// Keeps the last `messages` of each id, 1 to 10,000, for `ttl` after the last one.
    ///
    /// The first subscription of an id in a process and [`position`](Self::position) restart that time too. If nothing
    /// is published for that long, the next message comes with a [`Gap`](Received::Gap). Publishers and subscribers
    /// must use the same setting. It takes memory in the store: the messages, and about 100 bytes for each id.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the store runs no programs.
    pub fn with_history(mut self, messages: u32, ttl: Ttl) -> Result<Self> {
        self.history = Some(History::new(
            self.programs.clone(),
            self.topic,
            messages,
            ttl,
        )?);
        Ok(self.alone())
    }

    /// Sets how many events may wait for one subscriber, at most [`MAX_BUFFER`]. The default is
    /// [`DEFAULT_BUFFER`].
    ///
    /// Past that it misses the oldest: it reads them from the history, or receives [`Lagged`](Received::Lagged).
    #[must_use]
    pub fn with_buffer(mut self, events: NonZeroUsize) -> Self {
        self.buffer = events.min(MAX_BUFFER);
        self.alone()
    }

    /// Sets how often subscribers look for unannounced messages, from 10 ms to a day. The default is
    /// [`DEFAULT_CHECK_INTERVAL`]. It takes one round trip for each id that has subscribers in this process.
    #[must_use]
    pub fn with_check_interval(mut self, every: Duration) -> Self {
        self.check_interval = every.clamp(CHECK_INTERVAL.0, CHECK_INTERVAL.1);
        self.alone()
    }

    /// Stops sharing subscriptions with topics that have other settings.
    fn alone(mut self) -> Self {
        self.hubs = Hubs::default();
        self
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Topic<T> {
    /// Publishes a message to the subscribers of `id`, and returns its position. None if the topic has no history.
    ///
    /// With a history the message counts as published once it is in the history: if it cannot be announced then,
    /// subscribers find it there.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge) past [`MAX_MESSAGE`];
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if it cannot be written as JSON. After
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) it may have been published, once.
    ///
    /// # Cancellation
    /// The message may or may not have been published.
    pub async fn publish(&self, id: impl KeyId, message: &T) -> Result<Option<Position>> {
        let json = crate::json::encode("publish", message, MAX_MESSAGE)?;
        let channel = Channel::new(self.topic, &id);
        let Some(history) = &self.history else {
            let payload = envelope::write(None, &json);
            return self.bus.publish(&channel, payload).await.map(|()| None);
        };
        let key = history.key(id);
        let position = history.append(&key, json.clone()).await?;
        let payload = envelope::write(Some(position), &json);
        if let Err(error) = self.bus.publish(&channel, payload).await {
            metrics::counter!("larder_topic_unannounced_total", "topic" => self.topic.name())
                .increment(1);
            tracing::warn!(topic = self.topic.name(), %error, "a message is in the history and was not announced");
        }
        Ok(Some(position))
    }

    /// Returns the position after the last message of `id`. One round trip.
    ///
    /// Read it before the state that you show: a subscriber that resumes from it misses nothing that came after.
    /// If there is no history of `id`, it begins one.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) without a history.
    pub async fn position(&self, id: impl KeyId) -> Result<Position> {
        let history = self.require_history("position")?;
        history.open(&history.key(id)).await
    }

    /// Subscribes to the messages of `id` that are published from now on.
    ///
    /// # Errors
    /// Those of [`Bus::subscribe`].
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call leaves no subscription.
    pub async fn subscribe(&self, id: impl KeyId) -> Result<Subscriber<T>> {
        let channel = Channel::new(self.topic, &id);
        let place = self
            .history
            .clone()
            .map(|history| Place::new(history, &id, &channel));
        let hub = self.hub(Some(channel.clone()));
        let request = SubscribeRequest::to_channel(channel);
        hub.start(&*self.bus, request, place.clone()).await?;
        Ok(Subscriber::new(hub, place))
    }

    /// Subscribes to the messages of `id` after `from`, and reports whether any of them is missing.
    ///
    /// # Errors
    /// Those of [`subscribe`](Self::subscribe), and
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) without a history.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call leaves no subscription.
    pub async fn resume(
        &self,
        id: impl KeyId,
        from: Position,
    ) -> Result<(Subscriber<T>, Recovered)> {
        self.require_history("resume")?;
        // Messages after this are received; earlier ones are read.
        let mut subscriber = self.subscribe(id).await?;
        let recovered = subscriber.recover(from).await?;
        Ok((subscriber, recovered))
    }

    /// Subscribes to the messages of all ids, with gaps but without a history.
    ///
    /// # Errors
    /// Those of [`Bus::subscribe`]; a [sharded](bus::Topic::sharded) topic is
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid).
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call leaves no subscription.
    pub async fn subscribe_all(&self) -> Result<Subscriber<T>> {
        let hub = self.hub(None);
        let request = SubscribeRequest::to_topic(self.topic);
        hub.start(&*self.bus, request, None).await?;
        Ok(Subscriber::new(hub, None))
    }

    fn require_history(&self, operation: &'static str) -> Result<&History> {
        self.history
            .as_ref()
            .ok_or_else(|| history::missing(operation))
    }

    /// Returns the subscription that all subscribers of a channel share, or a new one.
    fn hub(&self, channel: Option<Channel>) -> Arc<Hub<T>> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(&channel).and_then(Weak::upgrade)
            && !hub.has_ended()
        {
            return hub;
        }
        // Subscribers come and go, so what they leave behind is removed from time to time.
        if hubs.len().is_power_of_two() {
            hubs.retain(|_, hub| hub.strong_count() > 0);
        }
        let hub = Hub::new(self.topic, self.buffer, self.check_interval);
        hubs.insert(channel, Arc::downgrade(&hub));
        hub
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self {
            bus: self.bus.clone(),
            programs: self.programs.clone(),
            topic: self.topic,
            history: self.history.clone(),
            buffer: self.buffer,
            check_interval: self.check_interval,
            hubs: self.hubs.clone(),
        }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("topic", &self.topic)
            .field("has_history", &self.history.is_some())
            .finish_non_exhaustive()
    }
}
