use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use larder_store::Timestamp;
use smallvec::SmallVec;
use tokio::time::Instant;
use tower_service::Service;

use crate::engine::{OriginFailure, Profile, Reuse, Validators};
use crate::metrics::Outcome;
use crate::miss::{FetchMode, Miss};
use crate::miss::{FetchOutcome, Lead, Place};
use crate::request::CacheRequest;
use crate::response::ResponseBody;
use crate::response::serve;
use crate::response::{CacheStatus, ForwardReason};
use crate::state::CacheState;
use crate::storage::StoredResponse;
use crate::storage::{FETCH_LIMIT, Found};

/// How often a request waits for another one's fetch, all within the time of one wait.
const WAITS: usize = 3;

/// A request that was not answered at once, and the instance of the inner service for it.
pub(crate) struct Lookup<S> {
    pub(crate) cache: Arc<CacheState>,
    pub(crate) inner: S,
}

/// Where a request stands after it looked, and waited where that made sense.
enum Decision {
    /// It is answered by what is stored.
    Serve(Arc<StoredResponse>, CacheStatus, Outcome),
    /// It is answered so, and what is stored is validated behind it.
    ServeStale(Arc<StoredResponse>, Found),
    /// It has to ask, alone or for those who wait.
    Forward(Found, Option<Lead>),
}

impl<S> Lookup<S> {
    pub(crate) async fn answer<ReqBody, ResBody>(
        self,
        request: Request<ReqBody>,
        cache_request: CacheRequest,
    ) -> Result<Response<ResponseBody<ResBody>>, S::Error>
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
        match decide(&cache, &cache_request, &headers).await {
            Decision::Serve(entry, cache_status, answer) => {
                cache.metrics.answered(answer);
                Ok(respond(
                    &cache,
                    &cache_request,
                    &headers,
                    &entry,
                    cache_status,
                ))
            }
            Decision::ServeStale(entry, found) => {
                cache.metrics.answered(Outcome::Stale);
                let cache_status = CacheStatus::hit(&entry.rules.freshness, cache.storage.now());
                let response = respond(&cache, &cache_request, &headers, &entry, cache_status);
                self.validate_in_background(request, cache_request, found);
                Ok(response)
            }
            Decision::Forward(..) if cache_request.rules.only_if_cached => {
                cache.metrics.answered(Outcome::OnlyIfCached);
                let mut response = Response::new(ResponseBody::whole(Bytes::new()));
                *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                Ok(response)
            }
            Decision::Forward(found, leader) => {
                let forwarding = Miss {
                    reason: reason(&cache_request, &found, cache.storage.now()),
                    aim: match leader {
                        Some(_) => FetchMode::Complete,
                        None => FetchMode::AsRequested,
                    },
                    cache,
                    cache_request,
                    headers,
                    found,
                    leader,
                };
                forwarding.ask(self.inner, request).await
            }
        }
    }

    /// Validates what is stale in a task of its own, unless somebody does already.
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
        let Some(leader) = self.cache.flights.lead(&key) else {
            return;
        };
        // The conditions, and the part, were the client's, who has its answer.
        Validators::default().apply(request.headers_mut());
        let forwarding = Miss {
            reason: ForwardReason::Stale,
            aim: FetchMode::Complete,
            cache: self.cache,
            headers: request.headers().clone(),
            cache_request: CacheRequest {
                is_head: false,
                is_conditional: false,
                has_range: false,
                ..cache_request
            },
            found,
            leader: Some(leader),
        };
        *request.method_mut() = http::Method::GET;
        tokio::spawn(async move {
            // What comes later is not stored. A failure leaves what is stored as it was.
            let asking = forwarding.ask(self.inner, request);
            let _ = tokio::time::timeout(FETCH_LIMIT, asking).await;
        });
    }
}

/// What one who waited is told to do, after one more look.
#[derive(Clone, Copy)]
enum Release {
    /// To wait no longer, and to lead if nobody else does.
    TimedOut,
    /// That the origin failed, so that what is stale may do.
    OriginFailed(OriginFailure, Option<StatusCode>),
}

/// Looks, and waits for those who fetch the same, until it is clear how the request is answered.
///
/// It waits for one deadline at most, however often.
async fn decide(cache: &CacheState, cache_request: &CacheRequest, headers: &HeaderMap) -> Decision {
    let storage = &cache.storage;
    let (mut was_collapsed, mut told) = (false, None);
    let (mut waits, mut until) = (0, None);
    loop {
        let mut found = storage
            .find(&cache_request.primary, &cache_request.key_fields, headers)
            .await;
        found.entry = found
            .entry
            .filter(|entry| cache_request.may_serve(entry, cache.policy.profile));
        let now = storage.now();
        let reuse = found
            .entry
            .as_ref()
            .map(|entry| (entry.clone(), entry.rules.reuse(&cache_request.rules, now)));
        match reuse {
            Some((entry, Reuse::Fresh)) => return fresh(entry, was_collapsed, now),
            Some((entry, Reuse::StaleWhileRevalidate)) => {
                return Decision::ServeStale(entry, found);
            }
            Some((_, Reuse::ValidationRequested)) => return Decision::Forward(found, None),
            Some((_, Reuse::Stale)) | None => {}
        }
        let is_alone = cache_request.is_head
            || cache_request.has_authorization
            || cache_request.rules.only_if_cached;
        // By the letter a client's conditions go on as they are, so that the answer may be its alone.
        let is_own = cache_request.is_conditional && cache.policy.profile == Profile::Rfc;
        let is_alone =
            is_alone || is_own || cache_request.has_range || cache_request.rules.no_cache;
        if is_alone || waits == WAITS {
            return Decision::Forward(found, None);
        }
        let key = flight_key(cache_request, &found, headers);
        match told {
            Some(Release::OriginFailed(failure, status)) => {
                let limit = cache.stale_while_disconnected;
                let may_do = |it: &Arc<StoredResponse>| {
                    it.rules
                        .may_serve_on_failure(&cache_request.rules, failure, limit, now)
                };
                return match found.entry.take_if(|entry| may_do(entry)) {
                    Some(entry) => {
                        let cache_status = CacheStatus::covered(status).and_collapsed();
                        Decision::Serve(entry, cache_status, Outcome::StaleIfError)
                    }
                    None => Decision::Forward(found, None),
                };
            }
            Some(Release::TimedOut) => {
                let leader = cache.flights.lead(&key);
                return Decision::Forward(found, leader);
            }
            None => {}
        }
        if cache.hit_for_miss.is_marked(storage.front.hash(&key), now) {
            return Decision::Forward(found, None);
        }
        match cache.flights.join(&key) {
            Place::Lead(leader) => {
                // Another flight may have landed between the look and now.
                let landed = storage.find_near(
                    &cache_request.primary,
                    &cache_request.key_fields,
                    headers,
                    now,
                );
                let landed = landed.and_then(|found| found.entry);
                return match landed {
                    Some(entry) if entry.rules.reuse(&cache_request.rules, now) == Reuse::Fresh => {
                        leader.end(FetchOutcome::Stored);
                        fresh(entry, true, now)
                    }
                    _ => Decision::Forward(found, Some(leader)),
                };
            }
            Place::Follow(mut follow) => {
                let until = *until.get_or_insert_with(|| Instant::now() + cache.wait);
                match follow.outcome(until).await {
                    Some(FetchOutcome::NotShared) => return Decision::Forward(found, None),
                    Some(FetchOutcome::Stored) => was_collapsed = true,
                    Some(FetchOutcome::Failed(cache_status, status)) => {
                        told = Some(Release::OriginFailed(cache_status, status))
                    }
                    Some(FetchOutcome::Pending) => {}
                    None => {
                        cache.metrics.gave_up_waiting();
                        cache.flights.give_up(&key, &follow);
                        told = Some(Release::TimedOut);
                    }
                }
            }
        }
        waits += 1;
    }
}

fn fresh(entry: Arc<StoredResponse>, was_collapsed: bool, now: Timestamp) -> Decision {
    let freshness = &entry.rules.freshness;
    let (cache_status, answer) = if was_collapsed {
        (CacheStatus::collapsed(freshness, now), Outcome::Collapsed)
    } else {
        (CacheStatus::hit(freshness, now), Outcome::Hit)
    };
    Decision::Serve(entry, cache_status, answer)
}

/// What those who want the same response have in common: the URI, and the variant where there are
/// variants.
pub(crate) fn flight_key(
    cache_request: &CacheRequest,
    found: &Found,
    headers: &HeaderMap,
) -> SmallVec<[u8; 128]> {
    let mut key = SmallVec::from_slice(cache_request.primary.as_bytes());
    let selecting = found.selecting(&cache_request.key_fields);
    if !selecting.is_empty() {
        key.push(b' ');
        key.extend_from_slice(selecting.variant(headers).as_bytes());
    }
    key
}

fn reason(cache_request: &CacheRequest, found: &Found, now: Timestamp) -> ForwardReason {
    match &found.entry {
        Some(entry)
            if entry.rules.reuse(&cache_request.rules, now) == Reuse::ValidationRequested =>
        {
            ForwardReason::Request
        }
        Some(_) if cache_request.is_head => ForwardReason::Method,
        Some(_) => ForwardReason::Stale,
        None if found.has_variants => ForwardReason::VaryMiss,
        None => ForwardReason::UriMiss,
    }
}

pub(crate) fn respond<B: Body>(
    cache: &CacheState,
    cache_request: &CacheRequest,
    headers: &HeaderMap,
    entry: &StoredResponse,
    cache_status: CacheStatus,
) -> Response<ResponseBody<B>> {
    let now = cache.storage.now();
    serve(
        entry,
        cache_request,
        headers,
        &cache.name,
        cache_status,
        now,
    )
}
