use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::bypassed::BypassedResponse;
use super::future::ResponseCacheFuture;
use super::unsafe_request::UnsafeRequest;
use crate::engine::{Reuse, is_safe};
use crate::metrics::Outcome;
use crate::miss::Lookup;
use crate::request::{BypassReason, CacheRequest, is_grpc};
use crate::response::{CacheStatus, ResponseCacheBody};
use crate::state::CacheState;

/// Caches the responses of an inner service. Made by
/// [`ResponseCacheLayer`](crate::ResponseCacheLayer).
///
/// The error type is the inner service's. A request that is answered by a stored response never reaches
/// the inner service, which stays ready for the next one.
#[derive(Clone)]
pub struct ResponseCache<S> {
    inner: S,
    cache: Arc<CacheState>,
}

impl<S> ResponseCache<S> {
    pub(super) fn new(inner: S, cache: Arc<CacheState>) -> Self {
        Self { inner, cache }
    }
}

impl<S: Clone> ResponseCache<S> {
    /// Takes the instance that was polled ready, and leaves a fresh clone.
    fn take_ready(&mut self) -> S {
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
    type Response = Response<ResponseCacheBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseCacheFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return self.call_other_method(request);
        }
        let policy = &self.cache.requests;
        policy.query.apply_to(&mut request);
        let cache_request = match CacheRequest::read(&request, policy) {
            Ok(cache_request) => cache_request,
            Err(reason) => return self.bypass(request, reason),
        };
        if let Some(response) = self.hit(&request, &cache_request) {
            return ResponseCacheFuture::ready(response);
        }
        let lookup = Lookup {
            cache: self.cache.clone(),
            inner: self.take_ready(),
        };
        ResponseCacheFuture::boxed(Box::pin(lookup.answer(request, cache_request)))
    }
}

impl<S> ResponseCache<S> {
    /// Returns the response if it is in this process, and fresh.
    fn hit<ReqBody, ResBody: Body>(
        &self,
        request: &Request<ReqBody>,
        cache_request: &CacheRequest,
    ) -> Option<Response<ResponseCacheBody<ResBody>>> {
        let cache = &self.cache;
        let headers = request.headers();
        let (stored, now) = cache.storage.near_response(cache_request, headers)?;
        let is_hit = cache.may_serve(cache_request, &stored)
            && stored.rules.reuse(&cache_request.directives, now) == Reuse::Fresh;
        is_hit.then(|| {
            cache.metrics.count(Outcome::Hit);
            let cache_status = CacheStatus::hit(&stored.rules.freshness, now);
            cache.serve(cache_request, headers, &stored, cache_status, now)
        })
    }

    /// Calls the inner service without a lookup.
    fn bypass<ReqBody, ResBody: Body>(
        &mut self,
        request: Request<ReqBody>,
        reason: BypassReason,
    ) -> ResponseCacheFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    {
        self.cache.metrics.count(Outcome::Bypass);
        let bypassed = BypassedResponse::new(&self.cache, reason);
        ResponseCacheFuture::bypassed(self.inner.call(request), bypassed)
    }

    /// Calls the inner service, and removes the responses that an unsafe request invalidates.
    fn call_other_method<ReqBody, ResBody>(
        &mut self,
        request: Request<ReqBody>,
    ) -> ResponseCacheFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ResBody: Body + Send + 'static,
    {
        // gRPC is never stored, so it invalidates nothing.
        let is_grpc = request.method() == Method::POST && is_grpc(request.headers());
        let is_harmless =
            is_safe(request.method()) || request.method() == Method::CONNECT || is_grpc;
        let reason = match is_grpc {
            true => BypassReason::Grpc,
            false => BypassReason::Method,
        };
        let target = match is_harmless {
            true => None,
            false => self.cache.requests.owned_target(&request),
        };
        let Some(target) = target else {
            return self.bypass(request, reason);
        };
        self.cache.metrics.count(Outcome::Bypass);
        let bypassed = BypassedResponse::new(&self.cache, reason);
        let unsafe_request = UnsafeRequest::new(self.cache.clone(), target);
        let call = self.inner.call(request);
        ResponseCacheFuture::boxed(Box::pin(async move {
            let response = match call.await {
                Ok(response) => response,
                Err(error) => {
                    unsafe_request.failed().await;
                    return Err(error);
                }
            };
            let (status, headers) = (response.status(), response.headers());
            unsafe_request.answered(status, headers).await;
            Ok(bypassed.mark(response))
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
