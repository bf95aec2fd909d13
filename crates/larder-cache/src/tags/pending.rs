use larder_layer::Pending;
use larder_layer::tags::{Tag, TagChange};
use larder_store::Timestamp;

use super::FarTags;
use crate::CacheKey;
use crate::cache::Inner;

/// The maximum number of tag changes of each kind that wait for the far store.
const MAX: usize = 1_000;

/// The changes of tags that the far store has not confirmed.
///
/// Until then, every far value with one of these tags is treated as removed here.
pub(crate) struct PendingTags {
    removals: Pending<Tag>,
    expiries: Pending<Tag>,
}

/// The last turns when a change began: it settles no later ones.
#[derive(Clone, Copy)]
pub(super) struct Turns {
    removals: u64,
    expiries: u64,
}

impl PendingTags {
    pub(crate) fn new() -> Self {
        Self {
            removals: Pending::new(MAX),
            expiries: Pending::new(MAX),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.removals.len() + self.expiries.len()
    }

    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let (removal, expiry) = (self.removals.oldest(), self.expiries.oldest());
        removal.into_iter().chain(expiry).min()
    }

    /// Returns whether one of the tags waits. Two relaxed loads if none does.
    pub(super) fn concerns(&self, tags: &[Tag]) -> bool {
        let mut tags = tags.iter();
        tags.any(|tag| self.removals.contains(tag) || self.expiries.contains(tag))
    }

    pub(super) fn turns(&self) -> Turns {
        Turns {
            removals: self.removals.turn(),
            expiries: self.expiries.turn(),
        }
    }

    /// Removes what waited when a successful change of these tags began. A removal settles expiries
    /// too.
    pub(super) fn settle(&self, tags: &[Tag], change: TagChange, turns: Turns) {
        for tag in tags {
            self.expiries.settle(tag, turns.expiries);
            if change == TagChange::Remove {
                self.removals.settle(tag, turns.removals);
            }
        }
    }

    fn of(&self, change: TagChange) -> &Pending<Tag> {
        match change {
            TagChange::Remove => &self.removals,
            TagChange::Expire => &self.expiries,
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Quarantines tags whose change failed, until it succeeds.
    pub(crate) fn quarantine_tags(&self, far_tags: &FarTags, tags: &[Tag], change: TagChange) {
        let now = self.clock.now();
        for tag in tags {
            if !far_tags.pending.of(change).add(tag, now) {
                self.metrics.invalidations_dropped.increment(1);
            }
        }
        self.note_pending();
    }

    /// Tries changes of tags again. Returns whether some of them succeeded.
    pub(crate) async fn replay_tags(&self, far_tags: &FarTags) -> bool {
        let mut is_some_done = false;
        for change in [TagChange::Remove, TagChange::Expire] {
            let pending = far_tags.pending.of(change);
            let tried = pending.next();
            if tried.is_empty() {
                continue;
            }
            let tags: Vec<_> = tried.iter().map(|(tag, _)| *tag).collect();
            let results = far_tags.client.change(&tags, change, far_tags.keep).await;
            self.sweep(&tags, change);
            let done = pending.sort_out(tried, results);
            let tags: Vec<_> = done.iter().map(|(tag, _)| *tag).collect();
            if self.publish_tags(far_tags, &tags, change).await.is_ok() {
                pending.settle_all(&done);
                is_some_done |= !done.is_empty();
            }
        }
        is_some_done
    }
}
