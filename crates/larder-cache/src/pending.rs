//! Invalidations that the far store has not confirmed, of keys and of tags.

use std::sync::Arc;

use larder_layer::tags::{Tag, TagChange};
use larder_layer::{Replay, ReplayTask, replay};

use crate::CacheKey;
use crate::cache::Inner;
use crate::far::Far;
use crate::remote::Change;
use crate::tags::PendingTags;

/// The maximum number of invalidations of keys that wait for the far store.
pub(crate) const MAX: usize = 10_000;

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Quarantines keys whose invalidation failed, and replays it until it succeeds.
    ///
    /// Returns for each whether it will be replayed: not if too many wait already.
    pub(crate) fn quarantine(self: &Arc<Self>, keys: impl IntoIterator<Item = K>) -> Vec<bool> {
        let now = self.clock.now();
        let add = |key| {
            let is_added = self.pending.add(&key, now);
            if !is_added {
                self.metrics.invalidations_dropped.increment(1);
            }
            is_added
        };
        let added = keys.into_iter().map(add).collect();
        self.note_pending();
        replay(self);
        added
    }

    /// Quarantines a key and tags whose far values are to be removed.
    pub(crate) fn quarantine_far(self: &Arc<Self>, key: Option<K>, tags: &[Tag]) {
        let Some(far) = &self.far else { return };
        if let Some(far_tags) = far.tags.as_ref().filter(|_| !tags.is_empty()) {
            self.quarantine_tags(far_tags, tags, TagChange::Remove);
        }
        self.quarantine(key);
    }

    /// Removes the far value of `key` as soon as the store can be reached, since the source has none.
    ///
    /// Half of the room is left for invalidations: anybody may request ids that do not exist.
    pub(crate) fn remove_later(self: &Arc<Self>, key: &K) {
        if self.far.is_some() && self.pending.len() < MAX / 2 {
            self.quarantine([key.clone()]);
        }
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

    async fn replay_keys(&self, far: &Far<V>) -> bool {
        let tried = self.pending.next();
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

impl<K: CacheKey, V: Send + Sync + 'static> Replay for Inner<K, V> {
    fn task(&self) -> &ReplayTask {
        &self.replay_task
    }

    /// Returns the number of invalidations of keys and of tags.
    fn waiting(&self) -> usize {
        self.pending.len() + self.pending_tags().map_or(0, PendingTags::len)
    }

    async fn try_some(&self) -> bool {
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
}
