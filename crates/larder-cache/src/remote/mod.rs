mod listen;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use larder_layer::StoreTimeout;
use larder_store::bus::{Bus, Channel, Topic};
use larder_store::{Error, Kind, Result};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Messages about values that were invalidated. Each cache has the channel of its kind.
const INVALIDATED: Topic = Topic::broadcast("cache-invalidated");

/// The number of counters of invalidations. More of them only make unnecessary refusals rarer.
const SLOTS: usize = 4_096;

const SHARDS: usize = 64;

/// The maximum number of near keys with one hash. Any further key is not kept near.
const MAX_SAME: usize = 16;

/// The maximum number of keys in one message, which has to stay below 64 KiB.
const KEYS_PER_MESSAGE: usize = 8_000;

/// The change of the keys that a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Their values are gone.
    Removed = 1,
    /// Their values may be served only if a load fails.
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
    /// Identifies this cache in its own messages.
    me: u64,
    /// The number of changes of the keys of each slot, and that of removals among them.
    slots: Box<[Slot]>,
    index: Box<[Mutex<Shard<K>>]>,
    is_listening: AtomicBool,
    /// Whether near values may have been read while it did not listen: messages may have been lost.
    may_have_missed: AtomicBool,
    /// Whether the first subscription was made, or was given up for the moment.
    is_settled: AtomicBool,
    settled: Notify,
    listener: Mutex<Option<AbortHandle>>,
    /// Whether it was already logged that the server does not permit messages.
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
    /// More keys with one hash, which is not a secret: somebody may choose such keys.
    same: HashMap<u64, Vec<K>>,
    /// The number of indexed keys at which those that are no longer near are dropped.
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
                same: HashMap::new(),
                full: 64,
            })
        };
        Self {
            bus,
            channel: Channel::new(INVALIDATED, kind.name()),
            timeout,
            me: rand::random(),
            slots: std::iter::repeat_with(Slot::default).take(SLOTS).collect(),
            index: std::iter::repeat_with(shard).take(SHARDS).collect(),
            is_listening: AtomicBool::new(false),
            may_have_missed: AtomicBool::new(false),
            is_settled: AtomicBool::new(false),
            settled: Notify::new(),
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
    /// `is_near` returns for other keys whether they are near.
    pub(crate) fn keep_if_unchanged(
        &self,
        hash: u64,
        key: &K,
        mark: Mark,
        keep: impl FnOnce() -> bool,
        is_near: impl Fn(&K) -> bool,
    ) -> bool
    where
        K: Clone + Eq,
    {
        let mut shard = self.shard(hash).lock();
        if !mark.is_still(self.mark(hash)) || !shard.has_room(hash, key, &is_near) || !keep() {
            return false;
        }
        shard.add(hash, key);
        if shard.keys.len() > shard.full {
            shard.keys.retain(|_, key| is_near(key));
            shard.same.retain(|_, keys| {
                keys.retain(&is_near);
                !keys.is_empty()
            });
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
                "processes do not receive each other's invalidations: near copies stay until their near TTL ends"
            );
        }
    }

    fn slot(&self, hash: u64) -> &Slot {
        &self.slots[hash as usize % SLOTS]
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K>> {
        &self.index[(hash >> 32) as usize % SHARDS]
    }

    /// Counts an invalidation of every key. Values read before are not kept after this.
    fn invalidated_all(&self) {
        for slot in &self.slots {
            slot.add(true);
        }
        for shard in &self.index {
            // An insert that has not seen the new count holds its shard, and has finished once the
            // lock is free.
            drop(shard.lock());
        }
    }

    /// Counts an invalidation, and returns the keys of this hash that may be near.
    fn invalidated(&self, hash: u64, is_removal: bool) -> impl Iterator<Item = K> + use<K>
    where
        K: Clone,
    {
        // A copy that is inserted before this is in the index; one that is inserted later sees the
        // count.
        self.slot(hash).add(is_removal);
        let shard = self.shard(hash).lock();
        let same = shard.same.get(&hash).cloned().unwrap_or_default();
        shard.keys.get(&hash).cloned().into_iter().chain(same)
    }

    /// Lets the calls that wait for the first subscription go on.
    fn settle(&self) {
        self.is_settled.store(true, Ordering::SeqCst);
        self.settled.notify_waiters();
    }

    /// Lets them go on without a subscription. Once there is one, values kept near meanwhile are
    /// dropped.
    fn settle_without(&self) {
        self.may_have_missed.store(true, Ordering::SeqCst);
        self.settle();
    }

    /// Waits for the first subscription, for `within` at most.
    async fn wait_until_settled(&self, within: Duration) {
        let settled = pin!(self.settled.notified());
        if !self.is_settled.load(Ordering::SeqCst)
            && tokio::time::timeout(within, settled).await.is_err()
        {
            self.settle_without();
        }
    }
}

impl<K: Clone + Eq> Shard<K> {
    /// Returns whether another key of this hash may be near.
    fn has_room(&mut self, hash: u64, key: &K, is_near: impl Fn(&K) -> bool) -> bool {
        let Some(same) = self.same.get_mut(&hash) else {
            return true;
        };
        if same.len() >= MAX_SAME {
            same.retain(is_near);
        }
        same.len() < MAX_SAME || same.contains(key)
    }

    fn add(&mut self, hash: u64, key: &K) {
        match self.keys.get(&hash) {
            Some(held) if held == key => {}
            None => drop(self.keys.insert(hash, key.clone())),
            Some(_) => {
                let same = self.same.entry(hash).or_default();
                if !same.contains(key) {
                    same.push(key.clone());
                }
            }
        }
    }
}

impl<K> Drop for Remote<K> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().take() {
            listener.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_moka::MokaStore;
    use larder_store::Store;

    use super::*;

    fn remote() -> Remote<&'static str> {
        let bus = Arc::new(MokaStore::new()).bus().expect("a bus");
        let timeout = StoreTimeout::new(Duration::from_secs(1), None);
        Remote::new(bus, Kind::evictable("film"), timeout)
    }

    /// Hashes of keys are not secret, so somebody may choose two ids with one hash.
    #[test]
    fn a_message_names_all_keys_of_one_hash() {
        let remote = remote();
        for key in ["one", "other", "third", "one"] {
            let mark = remote.mark(7);
            assert!(remote.keep_if_unchanged(7, &key, mark, || true, |_| true));
        }
        let named: Vec<_> = remote.invalidated(7, true).collect();
        assert_eq!(named, ["one", "other", "third"]);
        assert_eq!(remote.invalidated(8, true).count(), 0);
    }

    #[test]
    fn no_more_keys_of_one_hash_are_near_than_a_message_may_name() {
        let remote = remote();
        let keys: Vec<&str> = (0..40).map(|key| &*key.to_string().leak()).collect();
        let keep = |key: &&'static str, is_near: bool| {
            remote.keep_if_unchanged(7, key, remote.mark(7), || true, |_| is_near)
        };
        let kept = keys.iter().filter(|key| keep(key, true)).count();
        assert_eq!(kept, MAX_SAME + 1);
        assert_eq!(remote.invalidated(7, true).count(), kept);
        assert!(keep(&keys[39], false), "the others have gone");
    }
}
