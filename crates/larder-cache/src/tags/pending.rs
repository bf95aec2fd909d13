use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use larder_layer::tags::{Tag, TagChange};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::FarTags;
use crate::CacheKey;
use crate::cache::Inner;
use crate::spawn::spawn;

/// The most changes of tags that wait for the far store.
const MAX_PENDING: usize = 1_000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The changes of tags that the far store has not confirmed.
///
/// Every far value that carries one of them counts as removed here until it has.
#[derive(Default)]
pub(crate) struct PendingTags {
    tags: Mutex<HashMap<Tag, TagChange>>,
    count: AtomicUsize,
    is_replaying: Mutex<bool>,
}

impl PendingTags {
    /// Returns whether one of the tags waits. One relaxed load if none does.
    pub(super) fn concerns(&self, tags: &[Tag]) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let pending = self.tags.lock();
        tags.iter().any(|tag| pending.contains_key(tag))
    }

    /// Adds a change; a removal counts for more than an expiry. False if too many wait.
    fn add(&self, tag: Tag, change: TagChange) -> bool {
        let mut pending = self.tags.lock();
        let fits = pending.len() < MAX_PENDING || pending.contains_key(&tag);
        if fits {
            let held = pending.entry(tag).or_insert(change);
            if change == TagChange::Remove {
                *held = change;
            }
        }
        self.count.store(pending.len(), Ordering::Relaxed);
        fits
    }

    fn some(&self, change: TagChange) -> Vec<Tag> {
        let pending = self.tags.lock();
        let some = pending.iter().filter(|(_, held)| **held == change);
        some.map(|(tag, _)| *tag).collect()
    }

    pub(super) fn settle(&self, tags: &[Tag]) {
        if self.count.load(Ordering::Relaxed) != 0 {
            let mut pending = self.tags.lock();
            pending.retain(|tag, _| !tags.contains(tag));
            self.count.store(pending.len(), Ordering::Relaxed);
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Tries changes of tags again, until they succeed.
    pub(super) fn replay_tags(
        self: &Arc<Self>,
        far_tags: &FarTags,
        tags: &[Tag],
        change: TagChange,
    ) {
        for tag in tags {
            if !far_tags.pending.add(*tag, change) {
                self.metrics.invalidations_dropped.increment(1);
            }
        }
        if let Ok(runtime) = Handle::try_current()
            && !std::mem::replace(&mut *far_tags.pending.is_replaying.lock(), true)
        {
            spawn(&runtime, replay(Arc::downgrade(self)));
        }
    }

    /// Tries the pending changes once. Returns whether none is left.
    async fn replay_tags_once(&self, far_tags: &FarTags) -> bool {
        for change in [TagChange::Remove, TagChange::Expire] {
            let tags = far_tags.pending.some(change);
            if tags.is_empty() {
                continue;
            }
            let results = far_tags.client.change(&tags, change, far_tags.keep).await;
            self.sweep(&tags, change);
            let done = tags.into_iter().zip(results);
            let done: Vec<_> = done
                .filter_map(|(tag, result)| result.ok().map(|()| tag))
                .collect();
            if far_tags.client.publish(&done, change).await.is_ok() {
                far_tags.pending.settle(&done);
            }
        }
        let mut is_replaying = far_tags.pending.is_replaying.lock();
        *is_replaying = far_tags.pending.count.load(Ordering::Relaxed) != 0;
        !*is_replaying
    }
}

async fn replay<K: CacheKey, V: Send + Sync + 'static>(cache: Weak<Inner<K, V>>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(inner) = cache.upgrade() else { return };
        let Some(far_tags) = inner.far.as_ref().and_then(|far| far.tags.as_ref()) else {
            return;
        };
        if inner.replay_tags_once(far_tags).await {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
