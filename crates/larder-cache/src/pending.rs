use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use larder_store::{Result, Timestamp};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::CacheKey;
use crate::cache::Inner;
use crate::far::Far;
use crate::remote::Change;
use crate::spawn::spawn;
use crate::tags::PendingTags;

/// The maximum number of invalidations of keys that wait for the far store.
pub(crate) const MAX: usize = 10_000;

/// The maximum number of them that are tried together.
pub(crate) const BATCH: usize = 500;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The invalidations that the far store has not confirmed, of keys or of tags.
///
/// Their keys and tags are quarantined: until then this process does not read them far.
pub(crate) struct Pending<K> {
    waiting: Mutex<Waiting<K>>,
    count: AtomicUsize,
    max: usize,
}

struct Waiting<K> {
    keys: HashMap<K, One>,
    turns: u64,
    is_replaying: bool,
}

#[derive(Clone, Copy)]
struct One {
    since: Timestamp,
    /// Distinguishes a later invalidation of the key from the one that was tried.
    turn: u64,
}

impl<K: Clone + Eq + Hash> Pending<K> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                keys: HashMap::new(),
                turns: 0,
                is_replaying: false,
            }),
            count: AtomicUsize::new(0),
            max,
        }
    }

    /// Returns whether the far value of `key` must not be read. One relaxed load if none waits.
    pub(crate) fn is_quarantined(&self, key: &K) -> bool {
        self.count.load(Ordering::Relaxed) != 0 && self.waiting.lock().keys.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds an invalidation. Returns false if too many are waiting already.
    pub(crate) fn add(&self, key: &K, now: Timestamp) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.turns += 1;
        let turn = waiting.turns;
        if let Some(one) = waiting.keys.get_mut(key) {
            one.turn = turn;
            return true;
        }
        let fits = waiting.keys.len() < self.max;
        if fits {
            waiting.keys.insert(key.clone(), One { since: now, turn });
            self.count.store(waiting.keys.len(), Ordering::Relaxed);
        }
        fits
    }

    /// Returns the last turn, when an operation begins that may settle waiting invalidations.
    pub(crate) fn turn(&self) -> u64 {
        self.waiting.lock().turns
    }

    /// Removes the invalidation of `key`, because an operation that began at `turn`, and so after
    /// it, has succeeded. One that was added since then waits on.
    pub(crate) fn settle(&self, key: &K, turn: u64) {
        if self.len() != 0 {
            let mut waiting = self.waiting.lock();
            if waiting.keys.get(key).is_some_and(|one| one.turn <= turn) {
                waiting.keys.remove(key);
            }
            self.count.store(waiting.keys.len(), Ordering::Relaxed);
        }
    }

    /// Returns those that have waited longest, to be tried.
    pub(crate) fn some(&self) -> Vec<(K, u64)> {
        let waiting = self.waiting.lock();
        let all = waiting.keys.iter();
        let mut some: Vec<_> = all.map(|(key, one)| (key, one.turn)).collect();
        if some.len() > BATCH {
            some.select_nth_unstable_by_key(BATCH, |(_, turn)| *turn);
            some.truncate(BATCH);
        }
        let some = some.into_iter();
        some.map(|(key, turn)| (key.clone(), turn)).collect()
    }

    /// Removes those that are done, except keys that were invalidated again meanwhile.
    pub(crate) fn settle_all(&self, done: &[(K, u64)]) {
        let mut waiting = self.waiting.lock();
        for (key, turn) in done {
            if waiting.keys.get(key).is_some_and(|one| one.turn == *turn) {
                waiting.keys.remove(key);
            }
        }
        self.count.store(waiting.keys.len(), Ordering::Relaxed);
    }

    /// Returns those that are done, and moves those that failed again behind the others.
    pub(crate) fn sort_out(&self, tried: Vec<(K, u64)>, results: Vec<Result<()>>) -> Vec<(K, u64)> {
        let mut done = Vec::with_capacity(tried.len());
        let mut waiting = self.waiting.lock();
        let waiting = &mut *waiting;
        for ((key, turn), result) in tried.into_iter().zip(results) {
            if result.is_ok() {
                done.push((key, turn));
            } else if let Some(one) = waiting.keys.get_mut(&key)
                && one.turn == turn
            {
                waiting.turns += 1;
                one.turn = waiting.turns;
            }
        }
        done
    }

    /// Returns when the oldest was added.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.waiting.lock().keys.values().map(|one| one.since).min()
    }

    /// Returns whether the caller has to begin the replay.
    fn begin(&self) -> bool {
        !std::mem::replace(&mut self.waiting.lock().is_replaying, true)
    }

    /// Ends the replay, unless `is_final` is false and invalidations wait, or `others` do. Returns
    /// whether it did.
    fn end(&self, is_final: bool, others: impl FnOnce() -> bool) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.is_replaying &= !is_final && (!waiting.keys.is_empty() || others());
        !waiting.is_replaying
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Quarantines keys whose invalidation failed, and replays it until it succeeds.
    pub(crate) fn quarantine(self: &Arc<Self>, keys: impl IntoIterator<Item = K>) {
        let now = self.clock.now();
        for key in keys {
            if !self.pending.add(&key, now) {
                self.metrics.invalidations_dropped.increment(1);
            }
        }
        self.note_pending();
        self.replay_pending();
    }

    /// Removes the far value of `key` as soon as the store can be reached, since the source has none.
    ///
    /// Half of the room is left for invalidations: anybody may request ids that do not exist.
    pub(crate) fn remove_later(self: &Arc<Self>, key: &K) {
        if self.far.is_some() && self.pending.len() < MAX / 2 {
            self.quarantine([key.clone()]);
        }
    }

    /// Begins the replay if any invalidation waits, as after the end of the runtime that ran it.
    pub(crate) fn replay_pending(self: &Arc<Self>) {
        if self.waiting() != 0
            && let Ok(runtime) = Handle::try_current()
            && self.pending.begin()
        {
            spawn(
                &runtime,
                replay(Replaying {
                    cache: Arc::downgrade(self),
                    is_done: false,
                }),
            );
        }
    }

    /// Returns the number of invalidations that the far store has not confirmed, of keys and of
    /// tags.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len() + self.pending_tags().map_or(0, PendingTags::len)
    }

    fn pending_tags(&self) -> Option<&PendingTags> {
        let tags = self.far.as_ref()?.tags.as_ref()?;
        Some(&tags.pending)
    }

    pub(crate) fn note_pending(&self) {
        let of_tags = self.pending_tags().and_then(PendingTags::oldest);
        let oldest = self.pending.oldest().into_iter().chain(of_tags).min();
        let age = oldest.map_or(0.0, |since| self.clock.now().since(since).as_secs_f64());
        self.metrics.pending.set(self.waiting() as f64);
        self.metrics.oldest_pending.set(age);
    }

    /// Tries some invalidations again. Returns whether some of them succeeded.
    async fn replay_some(&self) -> bool {
        let Some(far) = &self.far else {
            return true;
        };
        let of_keys = self.replay_keys(far).await;
        let of_tags = match &far.tags {
            Some(tags) => self.replay_tags(tags).await,
            None => false,
        };
        self.note_pending();
        of_keys || of_tags
    }

    async fn replay_keys(&self, far: &Far<V>) -> bool {
        let tried = self.pending.some();
        if tried.is_empty() {
            return false;
        }
        let results = far.remove_many(tried.iter().map(|(key, _)| key)).await;
        let done = self.pending.sort_out(tried, results);
        // Values that were loaded in the meantime had no fence.
        for (key, _) in &done {
            self.invalidate(key);
        }
        let published = self
            .publish(Change::Removed, done.iter().map(|(key, _)| key))
            .await;
        if published.is_ok() {
            self.pending.settle_all(&done);
        }
        published.is_ok() && !done.is_empty()
    }
}

/// The task that replays. If its runtime ends, the next call in another one begins it again.
struct Replaying<K: CacheKey, V: Send + Sync + 'static> {
    cache: Weak<Inner<K, V>>,
    is_done: bool,
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Replaying<K, V> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade()
            && !self.is_done
        {
            cache.pending.end(true, || false);
        }
    }
}

/// Replays invalidations until none waits.
async fn replay<K: CacheKey, V: Send + Sync + 'static>(mut replaying: Replaying<K, V>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(cache) = replaying.cache.upgrade() else {
            return;
        };
        pause = match cache.replay_some().await {
            true => FIRST_PAUSE,
            false => (pause * 2).min(LONGEST_PAUSE),
        };
        if cache.pending.end(false, || cache.waiting() != 0) {
            replaying.is_done = true;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_store::{Error, ErrorKind};

    use super::*;

    #[test]
    fn invalidations_that_fail_again_do_not_hold_up_the_others() {
        let pending = Pending::new(MAX);
        for key in 0..BATCH as u32 + 100 {
            assert!(pending.add(&key, Timestamp::from_micros(0)));
        }
        let first = pending.some();
        assert_eq!(first.len(), BATCH);
        let failed = first
            .iter()
            .map(|_| Err(Error::new("delete", ErrorKind::NotSent, "away")));
        assert!(pending.sort_out(first.clone(), failed.collect()).is_empty());
        let second = pending.some();
        let is_new = |(key, _): &&(u32, u64)| first.iter().all(|(tried, _)| tried != key);
        assert_eq!(second.iter().filter(is_new).count(), 100);
    }
}
