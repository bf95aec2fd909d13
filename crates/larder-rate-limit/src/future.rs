use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use larder_store::Key;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::Decision;
use crate::body::ResponseBody;
use crate::charge::{Charge, Refundable};
use crate::key::Lookup;
use crate::policy::{Policy, Verdict};
use crate::response::Dialect;

pin_project! {
    /// The response of a [`RateLimit`](crate::RateLimit).
    ///
    /// It boxes nothing where the store answers at once, and one future where it does not.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, ReqBody>
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
        Asking {
            asking: Asking<S, ReqBody>,
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
            dialect: Dialect,
        },
    }
}

/// What comes back from the store: the verdict, and what is needed to go on.
type Asking<S, ReqBody> = Pin<Box<dyn Future<Output = Asked<S, ReqBody>> + Send>>;
type Asked<S, ReqBody> = (Verdict, Option<Key>, S, Request<ReqBody>);

/// What comes back from a refund: what remains now, if the store says so.
type Refunding = Pin<Box<dyn Future<Output = Option<Decision>> + Send>>;

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn passed(
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

    pub(crate) fn refused(policy: Arc<Policy>, verdict: Verdict, dialect: Dialect) -> Self {
        Self {
            state: State::Refused { verdict, dialect },
            policy,
        }
    }

    pub(crate) fn asking(
        policy: Arc<Policy>,
        key: Key,
        service: S,
        request: Request<ReqBody>,
    ) -> Self
    where
        S: Send + 'static,
        ReqBody: Send + 'static,
    {
        let asked = policy.clone();
        let asking = Box::pin(async move {
            let verdict = asked.decide(&key).await;
            (verdict, Some(key), service, request)
        });
        Self {
            state: State::Asking { asking },
            policy,
        }
    }

    /// As [`asking`](Self::asking), of one whose key has to be waited for first.
    pub(crate) fn looking(
        policy: Arc<Policy>,
        lookup: Lookup,
        service: S,
        request: Request<ReqBody>,
    ) -> Self
    where
        S: Send + 'static,
        ReqBody: Send + 'static,
    {
        let asked = policy.clone();
        let asking = Box::pin(async move {
            let (key, request) = asked.key(lookup, request).await;
            let verdict = match &key {
                Some(key) => asked.decide(key).await,
                None => Verdict::Pass(None),
            };
            (verdict, key, service, request)
        });
        Self {
            state: State::Asking { asking },
            policy,
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Projected::Asking { asking } => match ready!(asking.as_mut().poll(cx)) {
                    (Verdict::Pass(charge), key, mut service, request) => State::Passed {
                        call: service.call(request),
                        decision: charge.map(|charge| charge.decision),
                        refundable: key.and_then(|key| this.policy.refundable(key, charge)),
                    },
                    (verdict, _, _, request) => State::Refused {
                        verdict,
                        dialect: Dialect::of(request.headers()),
                    },
                },
                Projected::Passed {
                    call,
                    decision,
                    refundable,
                } => {
                    let response = ready!(call.poll(cx))?;
                    let Some(charge) = refundable.take() else {
                        return told(this.policy, *decision, response);
                    };
                    let (head, body) = response.into_parts();
                    let is_refunded = this.policy.is_refunded(&head);
                    let response = Response::from_parts(head, body);
                    if !is_refunded {
                        return told(this.policy, *decision, response);
                    }
                    match this.policy.refund_now(&charge) {
                        Poll::Ready(now) => {
                            return told(this.policy, now.or(*decision), response);
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
                        Some(response) => told(this.policy, now.or(*decision), *response),
                        // Polled again after it was ready, as nobody may.
                        None => Poll::Pending,
                    };
                }
                Projected::Refused { verdict, dialect } => {
                    return Poll::Ready(Ok(match verdict {
                        Verdict::TooMany(decision) => this.policy.too_many(*decision, *dialect),
                        _ => this.policy.unavailable(*dialect),
                    }));
                }
            };
            this.state.set(next);
        }
    }
}

/// The response of the inner service, with what the visitor is told of its limit.
fn told<B: Body, E>(
    policy: &Policy,
    decision: Option<Decision>,
    response: Response<B>,
) -> Poll<Result<Response<ResponseBody<B>>, E>> {
    let mut response = response.map(ResponseBody::inner);
    if let Some(decision) = decision {
        policy.tell(&decision, response.headers_mut());
    }
    Poll::Ready(Ok(response))
}

fn refund(policy: Arc<Policy>, charge: Box<Refundable>) -> Refunding {
    Box::pin(async move { policy.refund(&charge).await })
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
