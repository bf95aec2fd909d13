//! Purges, and those that the store has not confirmed.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use larder_layer::tags::Tag;
use larder_layer::{Pending, Replay, ReplayTask, replay};
use larder_store::Result;

use crate::request::PrimaryKey;
use crate::state::CacheState;
use crate::storage::{Storage, StoredResponse};

/// The maximum number of purges that wait for the store.
const MAX_PENDING: usize = 10_000;

/// The number of purges that are tried again at once.
const CONCURRENT: usize = 16;

/// Removes stored responses, or makes them stale.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Purge {
    Uri(PrimaryKey),
    ExpireUri(PrimaryKey),
    Tag(Tag),
    ExpireTag(Tag),
}

/// The purges that the store has not confirmed.
///
/// Until it does, this process serves nothing from the store that they concern.
pub(crate) struct PendingPurges {
    pending: Pending<Purge>,
    task: ReplayTask,
}

impl Default for PendingPurges {
    fn default() -> Self {
        Self {
            pending: Pending::new(MAX_PENDING),
            task: ReplayTask::default(),
        }
    }
}

impl PendingPurges {
    /// Returns whether a purge of the URI waits. One relaxed load if none does.
    pub(crate) fn concern_uri(&self, key: &PrimaryKey) -> bool {
        let waits = |purge| self.pending.contains(&purge);
        !self.pending.is_empty()
            && (waits(Purge::Uri(key.clone())) || waits(Purge::ExpireUri(key.clone())))
    }

    /// Returns whether a purge of one of the response's tags waits. One relaxed load if none does.
    pub(crate) fn concern_tags(&self, response: &StoredResponse) -> bool {
        let waits = |purge| self.pending.contains(&purge);
        !self.pending.is_empty()
            && (response.tags.iter())
                .any(|(tag, _)| waits(Purge::Tag(*tag)) || waits(Purge::ExpireTag(*tag)))
    }

    /// Removes a purge that succeeded, and an expiry of the same, if they waited when it began at `turn`.
    fn settle(&self, purge: &Purge, turn: u64) {
        self.pending.settle(purge, turn);
        match purge {
            Purge::Uri(key) => self.pending.settle(&Purge::ExpireUri(key.clone()), turn),
            Purge::Tag(tag) => self.pending.settle(&Purge::ExpireTag(*tag), turn),
            Purge::ExpireUri(_) | Purge::ExpireTag(_) => {}
        }
    }
}

impl Storage {
    async fn carry_out(&self, purge: &Purge) -> Result<()> {
        match purge {
            Purge::Uri(key) => self.purge(key).await,
            Purge::ExpireUri(key) => self.expire(key).await,
            Purge::Tag(tag) => self.purge_tag(*tag).await,
            Purge::ExpireTag(tag) => self.expire_tag(*tag).await,
        }
    }

    fn note_pending(&self) {
        let pending = &self.purges.pending;
        let age = |since| self.now().since(since).as_secs_f64();
        let oldest = pending.oldest().map_or(0.0, age);
        self.metrics.pending_purges(pending.len(), oldest);
    }
}

impl CacheState {
    /// Removes stored responses, or makes them stale. If the store fails, that is tried until it succeeds.
    pub(crate) async fn purge(self: &Arc<Self>, purge: Purge) -> Result<()> {
        let (storage, purges) = (&self.storage, &self.storage.purges);
        let turn = purges.pending.turn();
        let done = storage.carry_out(&purge).await;
        self.metrics.purged();
        match done {
            Ok(()) => purges.settle(&purge, turn),
            Err(_) if !purges.pending.add(&purge, storage.now()) => {
                self.metrics.purge_dropped();
            }
            Err(_) => {}
        }
        if done.is_err() || !purges.pending.is_empty() {
            storage.note_pending();
            replay(self);
        }
        done
    }
}

impl Replay for CacheState {
    fn task(&self) -> &ReplayTask {
        &self.storage.purges.task
    }

    fn waiting(&self) -> usize {
        self.storage.purges.pending.len()
    }

    async fn try_some(&self) -> bool {
        let (storage, pending) = (&self.storage, &self.storage.purges.pending);
        let tried = pending.next();
        let purges: Vec<_> = tried.iter().map(|(purge, _)| purge.clone()).collect();
        let results = stream::iter(purges).map(async |purge| storage.carry_out(&purge).await);
        let results = results.buffered(CONCURRENT).collect().await;
        let done = pending.sort_out(tried, results);
        pending.settle_all(&done);
        storage.note_pending();
        !done.is_empty()
    }
}
