use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;
use larder_store::bus::{self, Bus, SubscribeRequest};
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, broadcast};
use tokio::task::AbortHandle;

use super::Position;
use super::feed::Feed;
use super::shared::{Item, Place, Shared};

/// The subscription of the bus that all subscribers of a channel share. It ends with the last of them.
pub(super) struct Hub<T> {
    shared: Arc<Shared<T>>,
    task: OnceCell<AbortHandle>,
}

impl<T> Hub<T> {
    pub(super) fn new(
        topic: bus::Topic,
        buffer: NonZeroUsize,
        check_interval: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared::new(topic, buffer, check_interval)),
            task: OnceCell::new(),
        })
    }

    pub(super) fn topic(&self) -> bus::Topic {
        self.shared.topic
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shared.state().sender.is_none()
    }

    /// Returns a receiver of later events, and the position of the last one before.
    pub(super) fn listen(&self) -> (Option<broadcast::Receiver<Item<T>>>, Option<Position>) {
        let state = self.shared.state();
        let receiver = state.sender.as_ref().map(broadcast::Sender::subscribe);
        (receiver, state.position)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Hub<T> {
    /// Subscribes to the bus, if not yet subscribed.
    pub(super) async fn start(
        &self,
        bus: &dyn Bus,
        request: SubscribeRequest,
        place: Option<Place>,
    ) -> Result<()> {
        let start = async || {
            let subscription = bus.subscribe(request).await?;
            // Messages after this position will be received, because the subscription came first.
            let mut found = 0;
            if let Some(place) = &place {
                let position = place.history.open(&place.key).await?;
                found = position.offset;
                self.shared.state().position = Some(position);
            }
            let feed = Feed::new(self.shared.clone(), subscription, place, found);
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
