use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use larder_layer::http::ResponseBody;
use tower_service::Service;

use super::future::RateLimitFuture;
use super::policy::{Policy, Verdict};
use super::response::Protocol;
use crate::key::Found;

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
    policy: Arc<Policy>,
}

impl<S> RateLimit<S> {
    pub(super) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
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

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (found, request) = self.policy.key_of(request);
        let key = match found {
            Found::Now(Some(key)) => key,
            Found::Now(None) => {
                let call = self.inner.call(request);
                return RateLimitFuture::passed(self.policy.clone(), call, None, None);
            }
            Found::Later(_) => {
                let ready = self.take_ready();
                return RateLimitFuture::deciding(self.policy.clone(), found, ready, request);
            }
        };
        match self.policy.decide_now(&key) {
            Poll::Ready(Verdict::Pass(charge)) => {
                let call = self.inner.call(request);
                let refundable = self.policy.refundable(key, charge);
                RateLimitFuture::passed(self.policy.clone(), call, charge, refundable)
            }
            Poll::Ready(refused) => {
                let protocol = Protocol::of(request.headers());
                RateLimitFuture::refused(self.policy.clone(), refused, protocol)
            }
            Poll::Pending => {
                let ready = self.take_ready();
                let found = Found::Now(Some(key));
                RateLimitFuture::deciding(self.policy.clone(), found, ready, request)
            }
        }
    }
}
