//! Responses near and far, and the two steps from a URI to its variant.
//!
//! What was fetched before a purge is never stored after it, whatever the store evicts meanwhile:
//!
//! 1. A purge first changes the version under a key for the purges of the URI's group, then removes
//!    what the URI holds.
//! 2. A fetch notes that version, and what the URI holds, before the origin is asked.
//! 3. A response is stored where the URI still holds the same, by its version. Otherwise the URI is
//!    reserved, or the older response there is taken note of; then, if the version under the key of
//!    purges is the noted one, the response is stored where the reservation, or the older response,
//!    still is.
//!
//! A purge that came before the last look changed the version, and one after it removes the
//! reservation. A version that was evicted never comes back, so what is missing counts as a purge.
//!
//! Tags have the same order: a purge first counts itself among the changes of tags, then gives its tag a
//! new generation; a response notes the generations of its tags, then is stored where none of them was
//! changed since the fetch began. It counts as gone where a generation is another one than it noted.

mod commit;
mod far;
mod front;
mod hit_headers;
mod lookup;
mod purge;
mod purge_snapshot;
mod record;
mod stored_response;
mod tag_changes;
mod tags;
mod variant_index;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use larder_store::{Clock, Timestamp, Ttl, Version};

use crate::engine::SelectingFields;
use crate::metrics::Metrics;

pub(crate) use commit::{Commit, CommitKind};
pub(crate) use far::{Far, FarRecord, Unavailable};
pub(crate) use front::{Front, Generation, Near};
pub(crate) use hit_headers::{HitHeaders, with_age_and_status};
pub(crate) use purge_snapshot::PurgeSnapshot;
pub(crate) use record::Record;
pub(crate) use stored_response::{DateInfo, StoredResponse, TagSnapshot};
pub(crate) use variant_index::VariantIndex;

/// How long after it was asked for a response may still be stored.
pub(crate) const FETCH_LIMIT: Duration = Duration::from_secs(60);
/// How long a URI is reserved for a response that is about to be stored.
const RESERVED_FOR: Ttl = Ttl::from_secs(10);
/// How long a tag is known: longer than any response.
const TAG_TTL: Ttl = Ttl::from_secs(40 * 24 * 60 * 60);
/// The longest time that a response stays in the store, in seconds.
const MAX_STORED: u64 = 30 * 24 * 60 * 60;
/// For how many seconds at least, and at most, a stale response stays that can be validated.
const VALIDATABLE: (u64, u64) = (30, 60 * 60);

pub(crate) struct Storage {
    pub(crate) front: Front,
    pub(crate) far: Far,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// How long a record stays near before the store is asked again.
    pub(crate) near_ttl: Duration,
    /// How long past its freshness a response may be served while the origin gives no answer.
    pub(crate) stale_while_disconnected: Duration,
    pub(crate) max_variants: usize,
    /// Where a response names its tags.
    pub(crate) tag_field: http::HeaderName,
    /// When the last fetch began.
    pub(crate) begun: AtomicI64,
}

/// What was found for a request, and what a response to it may later replace.
pub(crate) struct Found {
    pub(crate) entry: Option<Arc<StoredResponse>>,
    pub(crate) snapshot: UriSnapshot,
    /// Whether other variants of the URI are known.
    pub(crate) has_variants: bool,
}

/// What the URI held when a fetch began. A response is stored only where that has not changed since,
/// so that nothing which was read before a purge is stored after it.
#[derive(Clone)]
pub(crate) struct UriSnapshot {
    /// What the URI held: a response, or the index of its variants.
    held: Existing,
    index: Option<Arc<VariantIndex>>,
    /// What the variant held.
    variant: Existing,
    generation: Generation,
    pub(crate) purges: PurgeSnapshot,
}

#[derive(Clone, Copy)]
enum Existing {
    /// The store did not say.
    Unknown,
    None,
    Version(Version),
}

/// What the store says of a response that has tags.
pub(crate) enum TagStatus {
    /// None of them was touched since it was stored.
    Current,
    /// One of them was told to be stale at this time.
    Expired(Timestamp),
    /// One of them was purged, or nobody can say.
    Purged,
}

/// What became of a response that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    Stored,
    /// It was outdated while it was fetched, or there is no room for it.
    Refused,
}

impl Storage {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn near_until(&self, now: Timestamp) -> Timestamp {
        let micros = i64::try_from(self.near_ttl.as_micros()).unwrap_or(i64::MAX);
        now.plus_micros(micros)
    }
}

impl Found {
    /// The fields that select a response for the URI, as far as they are known.
    pub(crate) fn selecting(&self, key_fields: &SelectingFields) -> SelectingFields {
        match &self.snapshot.index {
            Some(index) => index.selecting.union(key_fields).unwrap_or_default(),
            None => key_fields.clone(),
        }
    }
}
