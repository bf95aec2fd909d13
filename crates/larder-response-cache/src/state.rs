use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};
use http_body::Body;
use larder_layer::Joined;
use larder_store::Timestamp;

use crate::engine::Profile;
use crate::metrics::Metrics;
use crate::miss::{FetchLeader, Flights, Marks};
use crate::policy::ResponsePolicy;
use crate::request::{CacheRequest, RequestPolicy};
use crate::response::{CacheStatus, RecordingLimit, ResponseCacheBody, serve};
use crate::storage::{Found, Storage, StoredResponse};

/// The state that all clones of one layer share.
pub(crate) struct CacheState {
    pub(crate) storage: Storage,
    pub(crate) flights: Arc<Flights>,
    pub(crate) requests: RequestPolicy,
    /// What could not be shared, so that no request waits for it.
    pub(crate) hit_for_miss: Marks,
    /// What the origin failed to answer or to renew, so that it is not asked again in the background at once.
    pub(crate) failed: Marks,
    pub(crate) metrics: Arc<Metrics>,
    /// The name of this cache in `Cache-Status`.
    pub(crate) name: Box<str>,
    /// The largest body that is stored, in bytes.
    pub(crate) max_body: usize,
    pub(crate) recordings: Arc<RecordingLimit>,
    /// How long a request waits for fetches of other requests.
    pub(crate) wait_timeout: Duration,
}

impl CacheState {
    pub(crate) fn policy(&self) -> &ResponsePolicy {
        self.storage.policy()
    }

    /// Finds the stored response for a request, and hides one that may not be used for it.
    pub(crate) async fn find(&self, request: &CacheRequest, headers: &HeaderMap) -> Found {
        let mut found = self.storage.find(request, headers).await;
        let hidden = found
            .response
            .take_if(|held| !self.may_serve(request, held));
        found.hidden = found.hidden.or(hidden);
        found
    }

    /// Returns whether a stored response may be used for a request at all (RFC 9111, 3.5).
    pub(crate) fn may_serve(&self, request: &CacheRequest, response: &StoredResponse) -> bool {
        !request.has_authorization
            || response.permits_authorized
            || self.policy().profile == Profile::Rfc
    }

    /// Makes the response to a request from a stored one.
    pub(crate) fn serve<B: Body>(
        &self,
        request: &CacheRequest,
        headers: &HeaderMap,
        response: &StoredResponse,
        cache_status: CacheStatus,
        now: Timestamp,
    ) -> Response<ResponseCacheBody<B>> {
        serve(response, request, headers, &self.name, cache_status, now)
    }

    /// Leads the fetch of `key`, or returns None if there is one.
    pub(crate) fn lead(&self, key: &[u8]) -> Option<FetchLeader> {
        match self.flights.join(key, || None::<()>) {
            Joined::Leader(leader) => Some(leader),
            _ => None,
        }
    }
}
