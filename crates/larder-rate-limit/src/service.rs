use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::key::Found;
use crate::policy::{Policy, Verdict};
use crate::response::Dialect;

/// A service whose requests are limited, as [`RateLimitLayer`](crate::RateLimitLayer) makes it.
///
/// Its error is the inner service's: refusals are responses. A request that is refused never
/// reaches the inner service, whose readiness then stays for the next one.
///
/// # Cancellation
/// A visitor whose request is dropped while the store is asked may or may not have been charged.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> RateLimit<S> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }
}

impl<S: Clone> RateLimit<S> {
    /// The instance that was polled ready, to go with the request; a fresh one stays.
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
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (found, request) = self.policy.key_of(request);
        let key = match found {
            Found::Now(Some(key)) => key,
            Found::Now(None) => {
                let call = self.inner.call(request);
                return ResponseFuture::passed(self.policy.clone(), call, None, None);
            }
            Found::Later(lookup) => {
                let ready = self.take_ready();
                return ResponseFuture::looking(self.policy.clone(), lookup, ready, request);
            }
        };
        match self.policy.decide_now(&key) {
            Poll::Ready(Verdict::Pass(charge)) => {
                let call = self.inner.call(request);
                let refundable = self.policy.refundable(key, charge);
                ResponseFuture::passed(self.policy.clone(), call, charge, refundable)
            }
            Poll::Ready(refused) => {
                let dialect = Dialect::of(request.headers());
                ResponseFuture::refused(self.policy.clone(), refused, dialect)
            }
            Poll::Pending => {
                let ready = self.take_ready();
                ResponseFuture::asking(self.policy.clone(), key, ready, request)
            }
        }
    }
}
