use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::bypassed::BypassedResponse;
use crate::engine::{Reuse, is_safe};
use crate::http::ResponseFuture;
use crate::http::UnsafeRequest;
use crate::metrics::Outcome;
use crate::miss::Lookup;
use crate::request::BypassReason;
use crate::request::{CacheRequest, Origin};
use crate::request::{RequestHeaders, is_grpc};
use crate::request::{hosts, requested, target};
use crate::response::CacheStatus;
use crate::response::ResponseBody;
use crate::response::serve;
use crate::state::CacheState;

/// A service whose responses are cached, as [`ResponseCacheLayer`](crate::ResponseCacheLayer) makes
/// it.
///
/// Its error is the inner service's. A request that is answered from what is stored never reaches
/// the inner service, whose readiness then stays for the next one.
#[derive(Clone)]
pub struct ResponseCache<S> {
    inner: S,
    cache: Arc<CacheState>,
}

impl<S> ResponseCache<S> {
    pub(crate) fn new(inner: S, cache: Arc<CacheState>) -> Self {
        Self { inner, cache }
    }

    /// The instance that was polled ready; a fresh one stays.
    fn ready(&mut self) -> S
    where
        S: Clone,
    {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ResponseCache<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqBody: Body + Send + 'static,
    ResBody: Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return self.change(request);
        }
        self.cache.query.apply_to(&mut request);
        let scan = RequestHeaders::of(request.headers(), self.cache.policy.profile);
        let scheme = self.cache.scheme.as_deref();
        let target = requested(&request).and_then(|uri| target(uri, scan.host, scheme));
        let cache_request = target
            .ok_or(scan.bypass.unwrap_or(BypassReason::TargetUri))
            .and_then(|target| CacheRequest::of(&request, target, scan, &self.cache));
        let cache_request = match cache_request {
            Ok(cache_request) => cache_request,
            Err(reason) => return self.pass(request, reason),
        };
        if let Some(response) = self.hit(&request, &cache_request) {
            return ResponseFuture::ready(response);
        }
        let fetch = Lookup {
            cache: self.cache.clone(),
            inner: self.ready(),
        };
        ResponseFuture::boxed(Box::pin(fetch.answer(request, cache_request)))
    }
}

impl<S> ResponseCache<S> {
    /// The response that is here and fresh.
    fn hit<ReqBody, ResBody: Body>(
        &self,
        request: &Request<ReqBody>,
        cache_request: &CacheRequest,
    ) -> Option<Response<ResponseBody<ResBody>>> {
        let storage = &self.cache.storage;
        let (now, headers) = (storage.now(), request.headers());
        let found = storage.find_near(
            &cache_request.primary,
            &cache_request.key_fields,
            headers,
            now,
        )?;
        let entry = found
            .entry
            .filter(|entry| cache_request.may_serve(entry, self.cache.policy.profile))?;
        if entry.rules.reuse(&cache_request.rules, now) != Reuse::Fresh {
            return None;
        }
        self.cache.metrics.answered(Outcome::Hit);
        let cache_status = CacheStatus::hit(&entry.rules.freshness, now);
        let name = &self.cache.name;
        Some(serve(
            &entry,
            cache_request,
            headers,
            name,
            cache_status,
            now,
        ))
    }

    /// Asks the inner service, and looks at nothing stored.
    fn pass<ReqBody, ResBody: Body>(
        &mut self,
        request: Request<ReqBody>,
        reason: BypassReason,
    ) -> ResponseFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    {
        self.cache.metrics.answered(Outcome::Bypass);
        ResponseFuture::passed(
            self.inner.call(request),
            BypassedResponse::new(&self.cache, reason),
        )
    }

    /// Asks the inner service for a change, after which what is stored may be invalid.
    fn change<ReqBody, ResBody>(
        &mut self,
        request: Request<ReqBody>,
    ) -> ResponseFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ResBody: Body + Send + 'static,
    {
        // gRPC is never stored, so it makes nothing invalid.
        let is_grpc = request.method() == Method::POST && is_grpc(request.headers());
        let is_plain = is_safe(request.method()) || request.method() == Method::CONNECT || is_grpc;
        let reason = match is_grpc {
            true => BypassReason::Grpc,
            false => BypassReason::Method,
        };
        let host = hosts(request.headers());
        let scheme = self.cache.scheme.as_deref();
        let origin = requested(&request).and_then(|uri| target(uri, host, scheme));
        let origin = origin.filter(|_| !is_plain).map(Origin::of);
        let Some(origin) = origin else {
            return self.pass(request, reason);
        };
        self.cache.metrics.answered(Outcome::Bypass);
        let passing = BypassedResponse::new(&self.cache, reason);
        let change = UnsafeRequest::new(self.cache.clone(), origin);
        let call = self.inner.call(request);
        ResponseFuture::boxed(Box::pin(async move {
            let response = match call.await {
                Ok(response) => response,
                Err(error) => {
                    change.ended_in_doubt().await;
                    return Err(error);
                }
            };
            change.ended(response.status(), response.headers()).await;
            Ok(passing.on(response))
        }))
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for ResponseCache<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseCache")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
