use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use larder_layer::http::ResponseBody;
use tower_service::Service;

use super::decider::Decider;
use super::future::RateLimitFuture;
use super::response::Protocol;
use super::verdict::{Passed, Verdict};
use crate::RequestHead;
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
    decider: Arc<Decider>,
}

impl<S> RateLimit<S> {
    pub(super) fn new(inner: S, decider: Arc<Decider>) -> Self {
        Self { inner, decider }
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
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let decider = &self.decider;
        let verdict = decider.known(&RequestHead::of(&request));
        let mut key = None;
        let verdict = match (verdict, decider.simple()) {
            (Some(verdict), _) => Some(verdict),
            (None, None) => None,
            (None, Some(limit)) => {
                let mut found = if limit.key_by.needs_parts() {
                    let (parts, body) = request.into_parts();
                    let head = RequestHead::of_parts(&parts);
                    let found = limit.key_by.find(&limit.limiter, head);
                    request = Request::from_parts(parts, body);
                    found
                } else {
                    let head = RequestHead::of(&request);
                    limit.key_by.find(&limit.limiter, head)
                };
                if let Found::Now(none @ None) = &mut found {
                    *none = decider.unkeyed(limit);
                }
                match &found {
                    Found::Later(_) => None,
                    Found::Now(None) => Some(Verdict::Pass(Passed::default())),
                    Found::Now(Some(known)) => match decider.decide_now(limit, known) {
                        Poll::Ready(verdict) => Some(verdict),
                        Poll::Pending => {
                            key = Some(known.clone());
                            None
                        }
                    },
                }
            }
        };
        match verdict {
            Some(Verdict::Pass(passed)) => {
                let call = self.inner.call(request);
                RateLimitFuture::passed(self.decider.clone(), call, passed)
            }
            Some(Verdict::Refuse(refused)) => {
                let protocol = Protocol::of(request.headers());
                RateLimitFuture::refused(self.decider.clone(), refused, protocol)
            }
            None => {
                let ready = self.take_ready();
                RateLimitFuture::deciding(self.decider.clone(), key, ready, request)
            }
        }
    }
}
