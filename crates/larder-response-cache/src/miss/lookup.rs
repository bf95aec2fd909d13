use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use larder_layer::{Failure, Joined, replay};
use larder_store::Timestamp;
use tokio::time::Instant;
use tower_service::Service;

use super::background::Background;
use super::flights::{FetchLeader, FetchOutcome, flight_key};
use super::forward::{FetchMode, Miss};
use crate::engine::{OriginFailure, Profile, Reuse, Validators};
use crate::metrics::Outcome;
use crate::request::CacheRequest;
use crate::response::{CacheStatus, ForwardReason, ResponseCacheBody};
use crate::state::CacheState;
use crate::storage::{FETCH_LIMIT, Found, StoredResponse};

/// How often a request waits for other requests' fetches, all within one wait timeout.
const WAITS: usize = 3;

/// A request that was not answered at once, and the instance of the inner service for it.
pub(crate) struct Lookup<S> {
    pub(crate) cache: Arc<CacheState>,
    pub(crate) inner: S,
}

/// How a request is answered.
enum Decision {
    /// By a stored response.
    Serve(Arc<StoredResponse>, CacheStatus, Outcome),
    /// By a stale response, which is validated in the background.
    ServeStale(Arc<StoredResponse>, Found),
    /// By the inner service, and for other requests too if it leads a fetch.
    Forward(Found, Option<FetchLeader>),
}

/// Why a wait for another fetch ended without a response.
#[derive(Clone, Copy)]
enum Release {
    /// The time was up. The request is forwarded.
    TimedOut,
    /// The origin failed. A stale response may be served.
    OriginFailed(OriginFailure, Option<StatusCode>),
}

impl<S> Lookup<S> {
    pub(crate) async fn answer<ReqBody, ResBody>(
        self,
        request: Request<ReqBody>,
        cache_request: CacheRequest,
    ) -> Result<Response<ResponseCacheBody<ResBody>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqBody: Send + 'static,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let cache = self.cache.clone();
        let headers = request.headers().clone();
        replay(&cache);
        let decision = decide(&cache, &cache_request, &headers).await;
        let now = cache.storage.now();
        match decision {
            Decision::Serve(response, cache_status, outcome) => {
                cache.metrics.count(outcome);
                Ok(cache.serve(&cache_request, &headers, &response, cache_status, now))
            }
            Decision::ServeStale(response, found) => {
                cache.metrics.count(Outcome::Stale);
                let cache_status = CacheStatus::hit(&response.rules.freshness, now);
                let response = cache.serve(&cache_request, &headers, &response, cache_status, now);
                self.validate_in_background(request, cache_request, found);
                Ok(response)
            }
            Decision::Forward(..) if cache_request.directives.only_if_cached => {
                cache.metrics.count(Outcome::OnlyIfCached);
                let mut response = Response::new(ResponseCacheBody::whole(Bytes::new()));
                *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                Ok(response)
            }
            Decision::Forward(found, leader) => {
                let miss = Miss {
                    reason: forward_reason(&cache_request, &found, now),
                    mode: match leader {
                        Some(_) => FetchMode::Complete,
                        None => FetchMode::AsRequested,
                    },
                    background: None,
                    cache,
                    request: cache_request,
                    headers,
                    found,
                    leader,
                };
                miss.forward(self.inner, request).await
            }
        }
    }

    /// Validates a stale response in a task of its own, unless another request does so already or the origin has
    /// just failed.
    fn validate_in_background<ReqBody, ResBody>(
        self,
        mut request: Request<ReqBody>,
        cache_request: CacheRequest,
        found: Found,
    ) where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqBody: Send + 'static,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let key = flight_key(&cache_request, &found, request.headers());
        let cache = self.cache;
        if cache.failed.is_marked(&key, cache.storage.now()) {
            return;
        }
        let Some(leader) = cache.lead(&key) else {
            return;
        };
        // The preconditions and the range were those of a client, which already has its answer.
        Validators::default().apply(request.headers_mut());
        *request.method_mut() = Method::GET;
        let miss = Miss {
            reason: ForwardReason::Stale,
            mode: FetchMode::Complete,
            background: Some(Background::new(cache.clone(), &key)),
            cache,
            headers: request.headers().clone(),
            request: CacheRequest {
                is_head: false,
                is_conditional: false,
                has_range: false,
                ..cache_request
            },
            found,
            leader: Some(leader),
        };
        tokio::spawn(async move {
            // A response that comes later would not be stored. A failure leaves the stored response
            // unchanged.
            let fetch = miss.forward(self.inner, request);
            drop(tokio::time::timeout(FETCH_LIMIT, fetch).await);
        });
    }
}

/// Looks the request up, and waits for fetches of the same response, until it is clear how to
/// answer.
///
/// All its waits together last at most one timeout.
async fn decide(cache: &CacheState, request: &CacheRequest, headers: &HeaderMap) -> Decision {
    let (mut waits, mut deadline) = (0, None);
    let (mut collapsed, mut release) = (None, None);
    loop {
        let found = cache.find(request, headers).await;
        let now = cache.storage.now();
        if let Some(response) = &found.response {
            let response = response.clone();
            match response.rules.reuse(&request.directives, now) {
                Reuse::Fresh => return serve_fresh(response, collapsed, now),
                Reuse::StaleWhileRevalidate => return Decision::ServeStale(response, found),
                Reuse::ValidationRequested => return Decision::Forward(found, None),
                Reuse::Stale => {}
            }
        }
        let key = flight_key(request, &found, headers);
        match release {
            Some(Release::OriginFailed(failure, status)) => {
                return after_failure(cache, request, found, failure, status);
            }
            Some(Release::TimedOut) => return Decision::Forward(found, cache.lead(&key)),
            None => {}
        }
        let is_alone = waits == WAITS || is_fetched_alone(cache, request);
        if is_alone || cache.hit_for_miss.is_marked(&key, now) {
            return Decision::Forward(found, None);
        }
        // Another fetch may have ended since the lookup.
        let recheck = || {
            let (response, now) = cache.storage.near_response(request, headers)?;
            let reuse = response.rules.reuse(&request.directives, now);
            (reuse == Reuse::Fresh).then_some(response)
        };
        let (flights, reason) = (&cache.flights, forward_reason(request, &found, now));
        let follower = match flights.join(key.as_slice(), recheck) {
            Joined::Leader(leader) => return Decision::Forward(found, Some(leader)),
            Joined::Hit(response) => return serve_fresh(response, Some(reason), now),
            Joined::Full => return Decision::Forward(found, None),
            Joined::Follower(follower) => follower,
        };
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + cache.wait_timeout);
        match follower.outcome(deadline).await {
            Ok(FetchOutcome::Stored) => collapsed = Some(reason),
            // Another process may have stored a newer one. Otherwise one of the waiting requests
            // leads, once.
            Ok(FetchOutcome::Superseded) => waits = waits.max(WAITS - 2),
            Ok(FetchOutcome::NotShared) => return Decision::Forward(found, None),
            Ok(FetchOutcome::Failed(failure, status)) => {
                release = Some(Release::OriginFailed(failure, status));
            }
            Err(Failure::TimedOut) => {
                cache.metrics.gave_up_waiting();
                flights.abandon(key.as_slice(), &follower);
                release = Some(Release::TimedOut);
            }
            // The leader is gone, so another request leads.
            Err(Failure::Abandoned | Failure::Panicked) => {}
        }
        waits += 1;
    }
}

/// Returns whether the response to a request may be useless to others, so that it never waits.
fn is_fetched_alone(cache: &CacheState, request: &CacheRequest) -> bool {
    // In the RFC profile a client's preconditions are forwarded, so the answer may be a 304.
    let is_own_answer = request.is_conditional && cache.policy().profile == Profile::Rfc;
    is_own_answer
        || request.is_head
        || request.has_range
        || request.has_authorization
        || request.directives.only_if_cached
        || request.directives.no_cache
}

/// Serves a fresh response. If the request has waited for it, `collapsed` is why it would have been forwarded.
fn serve_fresh(
    response: Arc<StoredResponse>,
    collapsed: Option<ForwardReason>,
    now: Timestamp,
) -> Decision {
    let freshness = &response.rules.freshness;
    let (cache_status, outcome) = match collapsed {
        Some(reason) => (
            CacheStatus::collapsed(reason, freshness, now),
            Outcome::Collapsed,
        ),
        None => (CacheStatus::hit(freshness, now), Outcome::Hit),
    };
    Decision::Serve(response, cache_status, outcome)
}

/// Serves a stale response after the fetch of another request failed, if that is permitted.
fn after_failure(
    cache: &CacheState,
    request: &CacheRequest,
    mut found: Found,
    failure: OriginFailure,
    status: Option<StatusCode>,
) -> Decision {
    let may_serve =
        |held: &mut Arc<StoredResponse>| cache.storage.may_serve_on_failure(held, request, failure);
    match found.response.take_if(may_serve) {
        Some(response) => {
            let cache_status = CacheStatus::stale_if_error(status).and_collapsed();
            Decision::Serve(response, cache_status, Outcome::StaleIfError)
        }
        None => Decision::Forward(found, None),
    }
}

fn forward_reason(request: &CacheRequest, found: &Found, now: Timestamp) -> ForwardReason {
    match &found.response {
        Some(response)
            if response.rules.reuse(&request.directives, now) == Reuse::ValidationRequested =>
        {
            ForwardReason::Request
        }
        Some(_) if request.is_head => ForwardReason::Method,
        Some(_) => ForwardReason::Stale,
        None if found.has_variants => ForwardReason::VaryMiss,
        None => ForwardReason::UriMiss,
    }
}
