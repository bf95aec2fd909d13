use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::metrics::Metrics;
use crate::miss::Flights;
use crate::miss::HitForMiss;
use crate::policy::ResponsePolicy;
use crate::request::QueryFilter;
use crate::response::RecordingLimit;
use crate::storage::Storage;

/// What all clones of one layer share.
pub(crate) struct CacheState {
    pub(crate) storage: Storage,
    pub(crate) flights: Arc<Flights>,
    pub(crate) hit_for_miss: HitForMiss,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) policy: ResponsePolicy,
    pub(crate) name: Box<str>,
    /// The scheme of every request, where the layer is told.
    pub(crate) scheme: Option<Box<str>>,
    pub(crate) query: QueryFilter,
    pub(crate) key_fields: Box<[HeaderName]>,
    /// Bytes.
    pub(crate) max_body: usize,
    pub(crate) recordings: Arc<RecordingLimit>,
    pub(crate) wait: Duration,
    pub(crate) stale_while_disconnected: Duration,
}
