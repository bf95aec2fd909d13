use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::asked::{Asked, Origin};
use crate::body::ResponseBody;
use crate::cache_status::CacheStatus;
use crate::engine::{Reuse, is_safe};
use crate::fetch::Fetch;
use crate::future::ResponseFuture;
use crate::invalidate::Change;
use crate::key::{hosts, requested, target};
use crate::metrics::Answer;
use crate::passing::{Bypass, Passing};
use crate::scan::{Scan, is_grpc};
use crate::serve::serve;
use crate::shared::Shared;

/// A service whose responses are cached, as [`ResponseCacheLayer`](crate::ResponseCacheLayer) makes
/// it.
///
/// Its error is the inner service's. A request that is answered from what is stored never reaches
/// the inner service, whose readiness then stays for the next one.
#[derive(Clone)]
pub struct ResponseCache<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> ResponseCache<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
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
        self.shared.query.apply_to(&mut request);
        let scan = Scan::of(request.headers(), self.shared.view.profile);
        let scheme = self.shared.scheme.as_deref();
        let target = requested(&request).and_then(|uri| target(uri, scan.host, scheme));
        let asked = target
            .ok_or(scan.bypass.unwrap_or(Bypass::TargetUri))
            .and_then(|target| Asked::of(&request, target, scan, &self.shared));
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => return self.pass(request, why),
        };
        if let Some(response) = self.hit(&request, &asked) {
            return ResponseFuture::ready(response);
        }
        let fetch = Fetch {
            shared: self.shared.clone(),
            inner: self.ready(),
        };
        ResponseFuture::boxed(Box::pin(fetch.answer(request, asked)))
    }
}

impl<S> ResponseCache<S> {
    /// The response that is here and fresh.
    fn hit<ReqBody, ResBody: Body>(
        &self,
        request: &Request<ReqBody>,
        asked: &Asked,
    ) -> Option<Response<ResponseBody<ResBody>>> {
        let storage = &self.shared.storage;
        let (now, headers) = (storage.now(), request.headers());
        let found = storage.find_near(&asked.primary, &asked.claims, headers, now)?;
        let entry = found
            .entry
            .filter(|entry| asked.may_use(entry, self.shared.view.profile))?;
        if entry.rules.judge(&asked.rules, now) != Reuse::Fresh {
            return None;
        }
        self.shared.metrics.answered(Answer::Hit);
        let how = CacheStatus::hit(&entry.rules.freshness, now);
        let name = &self.shared.name;
        Some(serve(&entry, asked, headers, name, how, now))
    }

    /// Asks the inner service, and looks at nothing stored.
    fn pass<ReqBody, ResBody: Body>(
        &mut self,
        request: Request<ReqBody>,
        why: Bypass,
    ) -> ResponseFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    {
        self.shared.metrics.answered(Answer::Bypass);
        ResponseFuture::passed(self.inner.call(request), Passing::new(&self.shared, why))
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
        let why = match is_grpc {
            true => Bypass::Grpc,
            false => Bypass::Method,
        };
        let host = hosts(request.headers());
        let scheme = self.shared.scheme.as_deref();
        let origin = requested(&request).and_then(|uri| target(uri, host, scheme));
        let origin = origin.filter(|_| !is_plain).map(Origin::of);
        let Some(origin) = origin else {
            return self.pass(request, why);
        };
        self.shared.metrics.answered(Answer::Bypass);
        let passing = Passing::new(&self.shared, why);
        let change = Change::new(self.shared.clone(), origin);
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
