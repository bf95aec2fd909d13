//! Stored responses, in this process and in the store, and the two steps from a URI to its variant.
//!
//! A response that was fetched before a purge is never stored after it, whatever the store evicts in
//! between:
//!
//! 1. A purge first changes the version of the URI's purge group, then removes the URI's record.
//! 2. A fetch notes that version, and the version of the URI's record, before it calls the origin.
//! 3. A response replaces the record that its fetch found, by that version. If the URI now has another
//!    record, the fetch reserves the URI, or takes the version of the older response there. Then it
//!    compares the version of the purge group with the noted one. If they are equal, the response
//!    replaces the reservation or the older response, by its version.
//!
//! A purge before that comparison has changed the group's version. A purge after it removes the
//! reservation. An evicted version never comes back, so a missing one counts as a purge.
//!
//! Tags follow the same order. A purge first counts itself among the changes of tags, then gives its tag
//! a new generation. A response notes the generations of its tags, and is stored only if none of them
//! changed since the fetch began. Once a generation differs from the noted one, the response counts as
//! removed, or as expired if the tag was only expired.

mod commit;
mod commit_variant;
mod explain;
mod far;
mod find;
mod hit_headers;
mod purge;
mod purge_snapshot;
mod put_near;
mod record;
mod stored_response;
mod tag_changes;
mod tags;
mod ttl;
mod variant_index;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use larder_layer::{Capacity, Generation, NearCache};
use larder_store::{Clock, Timestamp, Version};

use crate::engine::SelectingFields;
use crate::metrics::Metrics;
use crate::pending_purges::PendingPurges;
use crate::policy::ResponsePolicy;

pub(crate) use commit::{Commit, CommitKind, CommitOutcome, NotStored};
pub(crate) use far::Far;
pub(crate) use stored_response::StoredResponse;

use far::FarRecord;
use purge_snapshot::PurgeSnapshot;
use record::Record;
use variant_index::VariantIndex;

/// How long after its request was sent a response may still be stored.
pub(crate) const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// How often an operation is tried again after another process changed the state that it read.
const ATTEMPTS: usize = 4;

pub(crate) struct Storage {
    pub(crate) near: Near,
    pub(crate) far: Far,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// How long a record stays near before the store is read again.
    pub(crate) near_ttl: Duration,
    /// How long past its freshness a response may be served while the origin gives no answer.
    pub(crate) stale_while_disconnected: Duration,
    pub(crate) max_variants: usize,
    /// When the last fetch began, in microseconds.
    pub(crate) last_fetch: AtomicI64,
    pub(crate) purges: PendingPurges,
}

/// The records in this process, each with the time at which the store must be read again.
pub(crate) type Near = NearCache<Arc<[u8]>, NearRecord>;

/// A record in this process.
#[derive(Clone)]
pub(crate) struct NearRecord {
    record: Record,
    /// The record's version in the store. None if only this process has it.
    version: Option<Version>,
}

/// Makes an empty near cache that holds this many bytes.
pub(crate) fn near(max_bytes: usize, metrics: &Metrics) -> Near {
    let weigh = |key: &Arc<[u8]>, near: &NearRecord| (near.record.weight() + 2 * key.len()) as u64;
    let near = NearCache::new(Capacity::Weight(max_bytes as u64, Arc::new(weigh)));
    near.with_gauges(metrics.near_entries(), metrics.near_bytes())
}

/// The result of a lookup, and the state that a response may later replace.
pub(crate) struct Found {
    pub(crate) response: Option<Arc<StoredResponse>>,
    /// A response that may not be served to the request, and that the one for the request would replace.
    pub(crate) hidden: Option<Arc<StoredResponse>>,
    pub(crate) snapshot: UriSnapshot,
    /// Whether other variants of the URI are known.
    pub(crate) has_variants: bool,
    /// Until when the response may be served from this process.
    until: Timestamp,
}

/// The state of a URI when a fetch began: its content, and the purges so far.
#[derive(Clone)]
pub(crate) struct UriSnapshot {
    /// The content of the URI: a response, or the index of its variants.
    held: Existing,
    index: Option<Arc<VariantIndex>>,
    /// The content of the variant.
    variant: Existing,
    generation: Generation,
    purges: PurgeSnapshot,
}

/// The content of a key when it was read.
#[derive(Clone, Copy)]
enum Existing {
    /// The store gave no answer.
    Unknown,
    None,
    Version(Version),
}

impl Storage {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn policy(&self) -> &ResponsePolicy {
        self.far.policy()
    }

    fn near_until(&self, now: Timestamp) -> Timestamp {
        now.plus_micros(self.near_micros())
    }

    fn near_micros(&self) -> i64 {
        i64::try_from(self.near_ttl.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Found {
    /// Returns whether anything is known to be stored for the URI, for this request or for others.
    pub(crate) fn is_any_stored(&self) -> bool {
        self.response.is_some() || self.hidden.is_some() || self.snapshot.index.is_some()
    }

    /// Returns the fields that select a response for the URI, as far as they are known.
    pub(crate) fn selecting(&self, key_fields: &SelectingFields) -> SelectingFields {
        match &self.snapshot.index {
            Some(index) => index.selecting.union(key_fields).unwrap_or_default(),
            None => key_fields.clone(),
        }
    }
}
