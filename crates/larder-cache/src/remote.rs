use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use larder_layer::StoreTimeout;
use larder_layer::tags::TagMessage;
use larder_store::bus::{Bus, Channel, Event, Message, SubscribeRequest, Subscription, Topic};
use larder_store::{Error, ErrorKind, Kind, Refusal, Result};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::CacheKey;
use crate::cache::Inner;

/// Messages about values that were invalidated. Each cache has the channel of its kind.
const INVALIDATED: Topic = Topic::broadcast("cache-invalidated");

/// The number of counters of invalidations. More of them only make needless refusals rarer.
const SLOTS: usize = 4_096;

const SHARDS: usize = 64;

/// The most keys in one message, which has to stay below 64 KiB.
const KEYS_PER_MESSAGE: usize = 8_000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The change of the keys that a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Their values are gone.
    Removed = 1,
    /// Their values may only be served if a load fails.
    Expired = 2,
}

/// Keeps the near tiers of several processes in step, by messages over the bus of the far store.
///
/// A message names keys by their hash. The index finds the key of a hash among the near copies. A
/// counter for each hash keeps a value that was read before a message from being kept after it.
pub(crate) struct Remote<K> {
    bus: Arc<dyn Bus>,
    channel: Channel,
    timeout: StoreTimeout,
    /// Names this cache in its own messages.
    me: u64,
    /// The number of changes of the keys of each slot, and that of removals among them.
    slots: Box<[Slot]>,
    index: Box<[Mutex<Shard<K>>]>,
    is_listening: AtomicBool,
    /// Whether it has listened before, so that messages may have been lost since.
    has_listened: AtomicBool,
    listener: Mutex<Option<AbortHandle>>,
    /// Whether it was logged that the server does not permit messages.
    is_denied: AtomicBool,
}

#[derive(Default)]
struct Slot {
    changes: AtomicU64,
    removals: AtomicU64,
}

impl Slot {
    fn add(&self, is_removal: bool) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        if is_removal {
            self.removals.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct Shard<K> {
    keys: HashMap<u64, K>,
    /// How many keys may be indexed before those are dropped that are not near any more.
    full: usize,
}

/// The number of invalidations of a key, and of those that share its counter, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// None if only removals count.
    changes: Option<u64>,
    removals: u64,
}

impl Mark {
    /// Returns the mark of a value that is kept for loads that fail: an expiry leaves it.
    pub(crate) fn of_removals(self) -> Self {
        Self {
            changes: None,
            ..self
        }
    }

    fn is_still(self, now: Self) -> bool {
        let is_changed = self.changes.is_some() && self.changes != now.changes;
        self.removals == now.removals && !is_changed
    }
}

impl<K> Remote<K> {
    pub(crate) fn new(bus: Arc<dyn Bus>, kind: Kind, timeout: StoreTimeout) -> Self {
        let shard = || {
            Mutex::new(Shard {
                keys: HashMap::new(),
                full: 64,
            })
        };
        Self {
            bus,
            channel: Channel::new(INVALIDATED, kind.name()),
            timeout,
            me: RandomState::new().hash_one(0),
            slots: std::iter::repeat_with(Slot::default).take(SLOTS).collect(),
            index: std::iter::repeat_with(shard).take(SHARDS).collect(),
            is_listening: AtomicBool::new(false),
            has_listened: AtomicBool::new(false),
            listener: Mutex::default(),
            is_denied: AtomicBool::new(false),
        }
    }

    /// Returns the mark of a key, to be taken before its value is read elsewhere.
    pub(crate) fn mark(&self, hash: u64) -> Mark {
        let slot = self.slot(hash);
        Mark {
            changes: Some(slot.changes.load(Ordering::SeqCst)),
            removals: slot.removals.load(Ordering::SeqCst),
        }
    }

    /// Runs `keep` unless a message about the key has come since `mark`.
    ///
    /// `is_near` says of other keys whether they are near.
    pub(crate) fn keep_if_unchanged(
        &self,
        hash: u64,
        key: &K,
        mark: Mark,
        keep: impl FnOnce() -> bool,
        is_near: impl Fn(&K) -> bool,
    ) -> bool
    where
        K: Clone,
    {
        let mut shard = self.shard(hash).lock();
        if !mark.is_still(self.mark(hash)) || !keep() {
            return false;
        }
        shard.keys.insert(hash, key.clone());
        if shard.keys.len() > shard.full {
            shard.keys.retain(|_, key| is_near(key));
            shard.full = shard.keys.len().max(32) * 2;
        }
        true
    }

    /// Tells the other processes. One round trip for 8,000 keys.
    pub(crate) async fn publish(&self, change: Change, hashes: &[u64]) -> Result<()> {
        for hashes in hashes.chunks(KEYS_PER_MESSAGE) {
            let mut payload = Vec::with_capacity(9 + hashes.len() * 8);
            payload.push(change as u8);
            payload.extend_from_slice(&self.me.to_le_bytes());
            for hash in hashes {
                payload.extend_from_slice(&hash.to_le_bytes());
            }
            let published = self.bus.publish(&self.channel, Bytes::from(payload));
            self.timeout.run("publish", published).await?;
        }
        Ok(())
    }

    /// Logs once that the server does not permit messages.
    pub(crate) fn warn_that_it_is_denied(&self, kind: Kind, error: &Error) {
        if !self.is_denied.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                kind = kind.name(),
                %error,
                "processes do not hear of invalidations: near copies stay until their near TTL ends"
            );
        }
    }

    fn slot(&self, hash: u64) -> &Slot {
        &self.slots[hash as usize % SLOTS]
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K>> {
        &self.index[(hash >> 32) as usize % SHARDS]
    }

    /// Counts an invalidation of every key. What was read before is not kept after this.
    fn invalidated_all(&self) {
        for slot in &self.slots {
            slot.add(true);
        }
        for shard in &self.index {
            // One that has not seen the new count holds its shard, and is near by then.
            drop(shard.lock());
        }
    }

    /// Counts an invalidation, and returns the key if it may be near.
    fn invalidated(&self, hash: u64, is_removal: bool) -> Option<K>
    where
        K: Clone,
    {
        // A copy that is kept before this is in the index; one that is kept later sees the count.
        self.slot(hash).add(is_removal);
        self.shard(hash).lock().keys.get(&hash).cloned()
    }
}

impl<K> Drop for Remote<K> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().take() {
            listener.abort();
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Begins to listen as soon as there is a runtime, and again if that runtime has ended. So does
    /// the replay of invalidations.
    pub(crate) fn listen(self: &Arc<Self>) {
        self.replay_pending();
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
            *remote.listener.lock() = Some(runtime.spawn(listen).abort_handle());
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
        // What is being read now may have been named too.
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
            let Some(key) = remote.invalidated(u64::from_le_bytes(*hash), is_removal) else {
                continue;
            };
            match is_removal {
                true => self.invalidate(&key),
                false => self.expire_near(&key),
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
        let remote = inner.remote.as_ref();
        if remote.is_some_and(|remote| remote.has_listened.swap(true, Ordering::Relaxed)) {
            // What was kept near since the last subscription ended may be stale.
            inner.heard_gap();
        }
        drop(inner);
        while let Some(event) = subscription.next().await {
            match cache.upgrade() {
                Some(cache) => cache.heard(event),
                None => return,
            }
        }
        // The store is gone, or lets this subscriber listen no more.
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

/// Tries until it is subscribed. None if the cache was dropped.
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
                match remote.filter(|_| error.kind() == ErrorKind::Refused(Refusal::Denied)) {
                    Some(remote) => remote.warn_that_it_is_denied(inner.kind, &error),
                    None => {
                        let kind = inner.kind.name();
                        tracing::debug!(kind, %error, "the cache does not hear of invalidations");
                    }
                }
                drop(inner);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
