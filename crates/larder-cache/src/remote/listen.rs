use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use larder_layer::replay;
use larder_layer::tags::TagMessage;
use larder_store::bus::{Bus, Channel, Event, Message, SubscribeRequest, Subscription};
use larder_store::{ErrorKind, Refusal};
use tokio::runtime::Handle;

use super::Change;
use crate::CacheKey;
use crate::cache::Inner;
use crate::spawn::spawn;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Begins to listen as soon as there is a runtime, and again if that runtime has ended. Does the
    /// same for the replay of invalidations.
    pub(crate) fn listen(self: &Arc<Self>) {
        replay(self);
        let Some(remote) = self.remote.as_ref().filter(|_| self.keeps_near) else {
            return;
        };
        if remote.is_listening.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !remote.is_listening.swap(true, Ordering::Relaxed) {
            let listen = listen(
                Listening(Arc::downgrade(self)),
                remote.bus.clone(),
                remote.channel.clone(),
            );
            *remote.listener.lock() = Some(spawn(&runtime, listen).abort_handle());
        }
    }

    /// Does the same, and waits for the first subscription, so that no value is kept near whose
    /// message this process missed.
    ///
    /// Only the first calls of a process wait, for at most the store timeout.
    pub(crate) async fn listening(self: &Arc<Self>) {
        self.listen();
        let (Some(remote), Some(far)) = (&self.remote, &self.far) else {
            return;
        };
        let waits = !remote.is_settled.load(Ordering::Relaxed)
            && remote.is_listening.load(Ordering::Relaxed);
        if waits {
            Box::pin(remote.wait_until_settled(far.timeout.limit())).await;
        }
    }

    fn heard(&self, event: Event) {
        match event {
            Event::Message(message) if message.channel == TagMessage::channel() => {
                self.heard_tags(&message.payload);
            }
            Event::Message(message) => self.heard_message(&message),
            Event::Gap => self.heard_gap(),
        }
    }

    /// The keys in the lost messages are unknown, so every near copy is read again.
    fn heard_gap(&self) {
        self.metrics.gaps.increment(1);
        if let Some(tags) = self.far.as_ref().and_then(|far| far.tags.as_ref()) {
            tags.client.forget_all();
        }
        // A message may also have named a value that is being read now.
        if let Some(remote) = &self.remote {
            remote.invalidated_all();
        }
        self.near.invalidate_where(|_, _| true);
    }

    fn heard_message(&self, message: &Message) {
        let (Some(remote), Some((head, hashes))) =
            (&self.remote, message.payload.split_first_chunk::<9>())
        else {
            return;
        };
        let (change, sender) = (head[0], &head[1..]);
        let is_removal = change != Change::Expired as u8;
        if sender == remote.me.to_le_bytes() {
            return;
        }
        for hash in hashes.chunks_exact(8).filter_map(<[u8]>::first_chunk) {
            for key in remote.invalidated(u64::from_le_bytes(*hash), is_removal) {
                match is_removal {
                    true => self.invalidate(&key),
                    false => self.expire_near(&key),
                }
            }
        }
        self.metrics.messages.increment(1);
    }
}

/// The task that listens. However it ends, another one may begin.
struct Listening<K: CacheKey, V: Send + Sync + 'static>(Weak<Inner<K, V>>);

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Listening<K, V> {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade()
            && let Some(remote) = &inner.remote
        {
            remote.settle_without();
            remote.is_listening.store(false, Ordering::Relaxed);
        }
    }
}

/// Hears what other processes invalidate, until the cache is dropped.
async fn listen<K: CacheKey, V: Send + Sync + 'static>(
    listening: Listening<K, V>,
    bus: Arc<dyn Bus>,
    channel: Channel,
) {
    let cache = &listening.0;
    loop {
        let Some(mut subscription) = subscribe(cache, &*bus, &channel).await else {
            return;
        };
        let Some(inner) = cache.upgrade() else { return };
        if let Some(remote) = &inner.remote {
            if remote.may_have_missed.swap(true, Ordering::SeqCst) {
                // Near copies from before the new subscription may be stale.
                inner.heard_gap();
            }
            remote.settle();
        }
        drop(inner);
        while let Some(event) = subscription.next().await {
            match cache.upgrade() {
                Some(cache) => cache.heard(event),
                None => return,
            }
        }
        // The store is gone, or refuses this subscriber.
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

/// Tries until it is subscribed. Returns None if the cache was dropped.
async fn subscribe<K: CacheKey, V: Send + Sync + 'static>(
    cache: &Weak<Inner<K, V>>,
    bus: &dyn Bus,
    channel: &Channel,
) -> Option<Subscription> {
    let mut pause = FIRST_PAUSE;
    loop {
        match bus
            .subscribe(
                SubscribeRequest::to_channel(channel.clone()).and_channel(TagMessage::channel()),
            )
            .await
        {
            Ok(subscription) => return Some(subscription),
            Err(error) => {
                let inner = cache.upgrade()?;
                let remote = inner.remote.as_ref();
                if let Some(remote) = remote {
                    remote.settle_without();
                }
                match remote.filter(|_| error.kind() == ErrorKind::Refused(Refusal::Denied)) {
                    Some(remote) => remote.warn_that_it_is_denied(inner.kind, &error),
                    None => {
                        let kind = inner.kind.name();
                        tracing::debug!(kind, %error, "the cache does not receive invalidations from other processes");
                    }
                }
                drop(inner);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
