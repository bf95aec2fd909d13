use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use larder_store::bus::{
    Channel, Mailbox, Message, Pattern, SubscribeRequest, Subscription, mailbox,
};
use larder_store::{Error, ErrorKind, Refusal, Result};
use parking_lot::{Mutex, RwLock};

use super::channel_subscribers::{ChannelSubscribers, deliver};

/// The number of shards, a power of two.
const SHARDS: usize = 16;

/// The subscribers of every channel and topic. A channel without subscribers takes no room.
pub(crate) struct Subscribers {
    hasher: RandomState,
    channels: [Mutex<HashTable<(Channel, ChannelSubscribers)>>; SHARDS],
    /// The topics, searched in order: a service has only a handful.
    topics: RwLock<Vec<(Pattern, ChannelSubscribers)>>,
    last_number: AtomicU64,
    cap: usize,
    held: AtomicUsize,
}

impl Subscribers {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            channels: Default::default(),
            topics: RwLock::default(),
            last_number: AtomicU64::new(0),
            cap,
            held: AtomicUsize::new(0),
        }
    }

    pub(crate) fn publish(&self, message: &Message) {
        let channel = &message.channel;
        let hash = self.hasher.hash_one(channel);
        deliver(message, |look| {
            let shard = self.shard(hash).lock();
            if let Some((_, subscribers)) = shard.find(hash, |(of, _)| of == channel) {
                look(subscribers);
            }
        });
        // At most one pattern matches a channel.
        deliver(message, |look| {
            let topics = self.topics.read();
            if let Some((_, subscribers)) = topics.iter().find(|(of, _)| of.matches(channel)) {
                look(subscribers);
            }
        });
    }

    /// Subscribes to a request, which must be [distinct](SubscribeRequest::distinct).
    pub(crate) fn subscribe(
        registry: &Arc<Self>,
        request: SubscribeRequest,
    ) -> Result<Subscription> {
        let (mailbox, subscription) = mailbox(request.buffer());
        let mut registration = Registration {
            registry: Weak::new(),
            number: registry.last_number.fetch_add(1, Ordering::Relaxed) + 1,
            request,
        };
        let more = |held: usize| {
            held.checked_add(registration.count())
                .filter(|held| *held <= registry.cap)
        };
        let reserved = registry
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        reserved.map_err(|_| registry.full())?;
        registration.registry = Arc::downgrade(registry);
        registry.add(&registration, &Arc::new(mailbox));
        Ok(subscription.with_guard(registration))
    }

    fn add(&self, registration: &Registration, mailbox: &Arc<Mailbox>) {
        for channel in registration.request.channels() {
            let hash = self.hasher.hash_one(channel);
            let mut shard = self.shard(hash).lock();
            let rehash = |(of, _): &(Channel, _)| self.hasher.hash_one(of);
            let entry = shard.entry(hash, |(of, _)| of == channel, rehash);
            let mut entry =
                entry.or_insert_with(|| (channel.clone(), ChannelSubscribers::default()));
            entry.get_mut().1.add(registration.number, mailbox.clone());
        }
        for pattern in registration.request.patterns() {
            let mut topics = self.topics.write();
            let at = topics.iter().position(|(of, _)| of == pattern);
            let at = at.unwrap_or_else(|| {
                topics.push((pattern.clone(), ChannelSubscribers::default()));
                topics.len() - 1
            });
            topics[at].1.add(registration.number, mailbox.clone());
        }
    }

    fn remove(&self, registration: &Registration) {
        for channel in registration.request.channels() {
            let hash = self.hasher.hash_one(channel);
            // Declared before the lock guard, so dropped after it.
            let _left;
            let mut shard = self.shard(hash).lock();
            if let Ok(mut entry) = shard.find_entry(hash, |(of, _)| of == channel) {
                let subscribers = &mut entry.get_mut().1;
                _left = subscribers.remove(registration.number);
                if subscribers.is_empty() {
                    entry.remove();
                }
            }
        }
        if !registration.request.patterns().is_empty() {
            let mut left = Vec::new();
            self.topics.write().retain_mut(|(_, subscribers)| {
                left.extend(subscribers.remove(registration.number));
                !subscribers.is_empty()
            });
            drop(left);
        }
        self.held.fetch_sub(registration.count(), Ordering::AcqRel);
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<(Channel, ChannelSubscribers)>> {
        // The table uses the highest and the lowest bits of the hash.
        &self.channels[(hash >> 32) as usize % SHARDS]
    }

    fn full(&self) -> Error {
        Error::new(
            "subscribe",
            ErrorKind::Refused(Refusal::Full),
            format!(
                "the store holds its maximum of {} subscriptions, counted by channels: raise it with \
                 MokaStore::builder().with_max_subscriptions(number)",
                self.cap
            ),
        )
    }
}

#[cfg(test)]
impl Subscribers {
    /// Returns the number of counted subscriptions, and of channels and topics with subscribers.
    pub(crate) fn held(&self) -> (usize, usize) {
        let channels: usize = self.channels.iter().map(|shard| shard.lock().len()).sum();
        let held = self.held.load(Ordering::Acquire);
        (held, channels + self.topics.read().len())
    }
}

/// The entry of one subscription. Dropping it removes the subscriber.
struct Registration {
    registry: Weak<Subscribers>,
    number: u64,
    request: SubscribeRequest,
}

impl Registration {
    fn count(&self) -> usize {
        self.request.channels().len() + self.request.patterns().len()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(self);
        }
    }
}
