use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use larder_layer::http::ResponseBody;
use tower_service::Service;

use super::decider::Decider;
use super::future::RateLimitFuture;
use super::response::Protocol;
use super::verdict::{AtOnce, Verdict};
use crate::RequestHead;

/// Limits the requests to an inner service. Made by [`RateLimitLayer`](crate::RateLimitLayer).
///
/// Refusals are responses, so the error type is the inner service's. A refused request never reaches
/// the inner service, which stays ready for the next one.
///
/// # Cancellation
/// If a request is dropped before the store has answered, its visitor may or may not be charged.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    decider: Arc<Decider>,
}

impl<S> RateLimit<S> {
    pub(super) fn new(inner: S, decider: Arc<Decider>) -> Self {
        Self { inner, decider }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone> RateLimit<S> {
    /// Takes the instance that was polled ready, and leaves a fresh clone.
    fn take_ready(&mut self) -> S {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RateLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Body,
    ResBody::Data: From<bytes::Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = RateLimitFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if self.decider.needs_parts() {
            let (parts, body) = request.into_parts();
            let head = RequestHead::of_parts(&parts);
            let decided = self.decider.decide_at_once(&head);
            return self.follow(decided, Request::from_parts(parts, body));
        }
        // Not taken apart, and not merged with the code above, because a request is large to move.
        let decided = self.decider.decide_at_once(&RequestHead::of(&request));
        self.follow(decided, request)
    }
}

impl<S> RateLimit<S> {
    /// Acts on the decision about a request.
    #[inline]
    fn follow<ReqBody, ResBody>(
        &mut self,
        decided: AtOnce,
        request: Request<ReqBody>,
    ) -> RateLimitFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        ReqBody: Send + 'static,
    {
        match decided {
            AtOnce::Decided(Verdict::Pass(pass)) => {
                RateLimitFuture::passed(&self.decider, self.inner.call(request), pass)
            }
            AtOnce::Decided(Verdict::Refuse(refused)) => {
                let protocol = Protocol::of(request.headers());
                RateLimitFuture::refused(self.decider.clone(), refused, protocol)
            }
            AtOnce::Waits(key) => {
                let ready = self.take_ready();
                RateLimitFuture::deciding(self.decider.clone(), key, ready, request)
            }
        }
    }
}
