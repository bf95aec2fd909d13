use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use larder_layer::http::ResponseBody;
use larder_store::Key;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::policy::{Charge, Policy, Verdict};
use super::refund::Refundable;
use super::response::Protocol;
use crate::Decision;
use crate::key::Found;

pin_project! {
    /// The response of a [`RateLimit`](crate::RateLimit).
    ///
    /// It boxes nothing if the store answers at once, and otherwise one future.
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future, S::Response>,
        policy: Arc<Policy>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, ReqBody, F, R> {
        Deciding {
            deciding: Deciding<S, ReqBody>,
        },
        Passed {
            #[pin]
            call: F,
            decision: Option<Decision>,
            refundable: Option<Box<Refundable>>,
        },
        Refunding {
            refunding: Refunding,
            decision: Option<Decision>,
            response: Option<Box<R>>,
        },
        Refused {
            verdict: Verdict,
            protocol: Protocol,
        },
    }
}

/// The verdict, and what is needed to call the inner service.
type Deciding<S, ReqBody> = Pin<Box<dyn Future<Output = Decided<S, ReqBody>> + Send>>;
type Decided<S, ReqBody> = (Verdict, Option<Key>, S, Request<ReqBody>);

/// The decision after a refund. None if the store did not answer.
type Refunding = Pin<Box<dyn Future<Output = Option<Decision>> + Send>>;

impl<S, ReqBody> RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn passed(
        policy: Arc<Policy>,
        call: S::Future,
        charge: Option<Charge>,
        refundable: Option<Box<Refundable>>,
    ) -> Self {
        Self {
            state: State::Passed {
                call,
                decision: charge.map(|charge| charge.decision),
                refundable,
            },
            policy,
        }
    }

    pub(super) fn refused(policy: Arc<Policy>, verdict: Verdict, protocol: Protocol) -> Self {
        Self {
            state: State::Refused { verdict, protocol },
            policy,
        }
    }

    pub(super) fn deciding(
        policy: Arc<Policy>,
        found: Found,
        service: S,
        request: Request<ReqBody>,
    ) -> Self
    where
        S: Send + 'static,
        ReqBody: Send + 'static,
    {
        let decider = policy.clone();
        let deciding = Box::pin(async move {
            let (key, request) = match found {
                Found::Now(key) => (key, request),
                Found::Later(lookup) => decider.key(lookup, request).await,
            };
            let verdict = match &key {
                Some(key) => decider.decide(key).await,
                None => Verdict::Pass(None),
            };
            (verdict, key, service, request)
        });
        Self {
            state: State::Deciding { deciding },
            policy,
        }
    }
}

impl<S, ReqBody, ResBody> Future for RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Projected::Deciding { deciding } => match ready!(deciding.as_mut().poll(cx)) {
                    (Verdict::Pass(charge), key, mut service, request) => State::Passed {
                        call: service.call(request),
                        decision: charge.map(|charge| charge.decision),
                        refundable: key.and_then(|key| this.policy.refundable(key, charge)),
                    },
                    (verdict, _, _, request) => State::Refused {
                        verdict,
                        protocol: Protocol::of(request.headers()),
                    },
                },
                Projected::Passed {
                    call,
                    decision,
                    refundable,
                } => {
                    let response = ready!(call.poll(cx))?;
                    let Some(charge) = refundable.take() else {
                        return with_headers(this.policy, *decision, response);
                    };
                    let (head, body) = response.into_parts();
                    let is_refunded = this.policy.is_refunded(&head);
                    let response = Response::from_parts(head, body);
                    if !is_refunded {
                        return with_headers(this.policy, *decision, response);
                    }
                    match this.policy.refund_now(&charge) {
                        Poll::Ready(now) => {
                            return with_headers(this.policy, now.or(*decision), response);
                        }
                        Poll::Pending => State::Refunding {
                            refunding: refund(this.policy.clone(), charge),
                            decision: *decision,
                            response: Some(Box::new(response)),
                        },
                    }
                }
                Projected::Refunding {
                    refunding,
                    decision,
                    response,
                } => {
                    let now = ready!(refunding.as_mut().poll(cx));
                    return match response.take() {
                        Some(response) => with_headers(this.policy, now.or(*decision), *response),
                        // Polled again after it was ready, which the contract of a future forbids.
                        None => Poll::Pending,
                    };
                }
                Projected::Refused { verdict, protocol } => {
                    return Poll::Ready(Ok(match verdict {
                        Verdict::TooMany(decision) => this.policy.too_many(*decision, *protocol),
                        _ => this.policy.unavailable(*protocol),
                    }));
                }
            };
            this.state.set(next);
        }
    }
}

/// Returns the response of the inner service, with the header fields of the limit.
fn with_headers<B: Body, E>(
    policy: &Policy,
    decision: Option<Decision>,
    response: Response<B>,
) -> Poll<Result<Response<ResponseBody<B>>, E>> {
    let mut response = response.map(ResponseBody::inner);
    if let Some(decision) = decision {
        policy.append_headers(&decision, response.headers_mut());
    }
    Poll::Ready(Ok(response))
}

fn refund(policy: Arc<Policy>, charge: Box<Refundable>) -> Refunding {
    Box::pin(async move { policy.refund(&charge).await })
}

impl<S, ReqBody> fmt::Debug for RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}
