//! Responses near and far, and the two steps from a URI to its variant.

mod commit;
mod lookup;
mod purge;
mod recent;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use larder_store::{Clock, Timestamp, Ttl, Version};

use crate::engine::Selecting;
use crate::entry::Entry;
use crate::far::Far;
use crate::front::{Front, Generation};
use crate::index::Index;
use crate::metrics::Metrics;

pub(crate) use commit::Commit;
pub(crate) use recent::{Moment, RecentPurges};

/// How long after it was asked for a response may still be stored.
pub(crate) const FETCH_LIMIT: Duration = Duration::from_secs(60);
/// How long the mark of a purge stays: longer than any fetch that began before it.
const PURGED_FOR: Ttl = Ttl::from_secs(90);
/// How far the clocks of two processes may be apart, for purges by tag.
const SKEW: Duration = Duration::from_secs(2);
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
    pub(crate) recent: RecentPurges,
    pub(crate) max_variants: usize,
    /// Where a response names its tags.
    pub(crate) tag_field: http::HeaderName,
}

/// What was found for a request, and what a response to it may later replace.
pub(crate) struct Found {
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) basis: Basis,
    /// Whether other variants of the URI are known.
    pub(crate) has_variants: bool,
}

/// What the URI held when a fetch began. A response is stored only where that has not changed since,
/// so that nothing which was read before a purge is stored after it.
#[derive(Clone)]
pub(crate) struct Basis {
    held: Before,
    index: Option<Arc<Index>>,
    generation: Generation,
}

#[derive(Clone, Copy)]
enum Before {
    /// The store did not say.
    Unknown,
    Nothing,
    Version(Version),
}

/// What the store says of a response that has tags.
pub(crate) enum Tags {
    /// None of them was touched since it was stored.
    Current,
    /// One of them was told to be stale at this time.
    Ended(Timestamp),
    /// One of them was purged, or nobody can say.
    Gone,
}

/// What became of a response that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    Stored,
    /// It was outdated while it was fetched, or there is no room for it.
    Refused,
}

impl Storage {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Which purges by tag are known here by now.
    pub(crate) fn moment(&self) -> Moment {
        self.recent.moment()
    }

    fn near_until(&self, now: Timestamp) -> Timestamp {
        let micros = i64::try_from(self.near_ttl.as_micros()).unwrap_or(i64::MAX);
        now.plus_micros(micros)
    }
}

impl Found {
    /// The fields that select a response for the URI, as far as they are known.
    pub(crate) fn selecting(&self, claims: &Selecting) -> Selecting {
        match &self.basis.index {
            Some(index) => index.selecting.union(claims).unwrap_or_default(),
            None => claims.clone(),
        }
    }
}
