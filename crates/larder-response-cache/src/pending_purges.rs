//! Purges, and those that the store has not confirmed.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use larder_layer::tags::Tag;
use larder_layer::{Pending, Replay, ReplayTask, SharedGauges, replay};
use larder_store::{Error, Result};

use crate::request::PrimaryKey;
use crate::state::CacheState;
use crate::storage::{Storage, StoredResponse};

/// The maximum number of purges that wait for the store.
const MAX_PENDING: usize = 10_000;

/// The number up to which invalidations may wait. Anybody may cause those, so room is left for purges of the app.
const MAX_INVALIDATIONS: usize = MAX_PENDING / 2;

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

/// The store has not confirmed a purge.
pub(crate) struct Unconfirmed {
    pub(crate) error: Error,
    /// Whether it is tried again, which it is not if too many wait.
    pub(crate) is_pending: bool,
}

/// The purges that the store has not confirmed.
///
/// Until it does, this process serves nothing from the store that they concern.
pub(crate) struct PendingPurges {
    pending: Pending<Purge>,
    task: ReplayTask,
    gauges: SharedGauges<2>,
}

impl PendingPurges {
    pub(crate) fn new(gauges: SharedGauges<2>) -> Self {
        Self {
            pending: Pending::new(MAX_PENDING),
            task: ReplayTask::default(),
            gauges,
        }
    }

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
    /// Carries out a purge in the store. What this process holds is left to [`forget`](Self::forget).
    async fn carry_out(&self, purge: &Purge) -> Result<()> {
        match purge {
            Purge::Uri(key) => self.purge(key).await,
            Purge::ExpireUri(key) => self.expire(key).await,
            Purge::Tag(tag) => self.purge_tag(*tag).await,
            Purge::ExpireTag(tag) => self.expire_tag(*tag).await,
        }
    }

    /// Removes what a purge concerns from this process alone.
    fn forget(&self, purge: &Purge) {
        match purge {
            Purge::Uri(key) | Purge::ExpireUri(key) => self.near.invalidate(key.as_bytes()),
            Purge::Tag(tag) | Purge::ExpireTag(tag) => self.remove_near_with(*tag),
        }
    }

    fn note_pending(&self) {
        let pending = &self.purges.pending;
        let age = |since| self.now().since(since).as_secs_f64();
        self.purges.gauges.show(|| {
            let oldest = pending.oldest().map_or(0.0, age);
            [pending.len() as f64, oldest]
        });
    }
}

impl CacheState {
    /// Removes stored responses, or makes them stale. If the store fails, that is tried until it succeeds.
    pub(crate) async fn purge(self: &Arc<Self>, purge: Purge) -> Result<(), Unconfirmed> {
        self.purge_up_to(MAX_PENDING, purge).await
    }

    /// Removes the responses of a URI because of a request or a response, which cannot be told of a failure.
    pub(crate) async fn invalidate(self: &Arc<Self>, key: PrimaryKey) {
        let _ = self.purge_up_to(MAX_INVALIDATIONS, Purge::Uri(key)).await;
    }

    async fn purge_up_to(self: &Arc<Self>, max: usize, purge: Purge) -> Result<(), Unconfirmed> {
        let (storage, purges) = (&self.storage, &self.storage.purges);
        let turn = purges.pending.turn();
        let done = storage.carry_out(&purge).await;
        self.metrics.purged();
        let pending = &purges.pending;
        let has_room = || pending.len() < max || pending.contains(&purge);
        let is_pending = done.is_err() && has_room() && pending.add(&purge, storage.now());
        // Only now, since until then a request may read the old response from the store, and keep it here.
        storage.forget(&purge);
        let result = match done {
            Ok(()) => {
                purges.settle(&purge, turn);
                Ok(())
            }
            Err(error) => {
                if !is_pending {
                    self.metrics.purge_dropped();
                }
                Err(Unconfirmed { error, is_pending })
            }
        };
        self.retry_purges();
        result
    }

    /// Begins to try purges again if some wait, also after the end of the runtime that did so.
    pub(crate) fn retry_purges(self: &Arc<Self>) {
        self.storage.note_pending();
        replay(self);
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
        // Since they were added, this process has kept nothing that they concern. So there is nothing to forget.
        let (storage, pending) = (&self.storage, &self.storage.purges.pending);
        let is_of_uri = |purge: &Purge| matches!(purge, Purge::Uri(_) | Purge::ExpireUri(_));
        let (uris, tags): (Vec<_>, Vec<_>) =
            (pending.next().into_iter()).partition(|(purge, _)| is_of_uri(purge));
        let purges: Vec<_> = uris.iter().map(|(purge, _)| purge.clone()).collect();
        let results = stream::iter(purges).map(async |purge| storage.carry_out(&purge).await);
        let mut results: Vec<_> = results.buffered(CONCURRENT).collect().await;
        // One by one: all of them change the record of the last changes.
        for (purge, _) in &tags {
            results.push(storage.carry_out(purge).await);
        }
        let done = pending.sort_out([uris, tags].concat(), results);
        pending.settle_all(&done);
        storage.note_pending();
        !done.is_empty()
    }
}
