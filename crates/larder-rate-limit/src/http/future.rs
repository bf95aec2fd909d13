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

use super::decider::Decider;
use super::response::Protocol;
use super::settling::Outcome;
use super::verdict::{Decisions, Held, Passed, Refused, Verdict};

pin_project! {
    /// The response of a [`RateLimit`](crate::RateLimit).
    ///
    /// It boxes nothing if the layer has one limit and its store answers at once, and otherwise one future.
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future, S::Response>,
        decider: Arc<Decider>,
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
            passed: Passed,
        },
        Settling {
            settling: Settling,
            response: Option<Box<R>>,
        },
        Refused {
            refused: Refused,
            protocol: Protocol,
        },
    }
}

/// The verdict, and what is needed to call the inner service.
type Deciding<S, ReqBody> = Pin<Box<dyn Future<Output = (Verdict, S, Request<ReqBody>)> + Send>>;

/// What is left after the charges are settled.
type Settling = Pin<Box<dyn Future<Output = (Decisions, Box<Held>)> + Send>>;

impl<S, ReqBody> RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    #[inline]
    pub(super) fn passed(decider: Arc<Decider>, call: S::Future, passed: Passed) -> Self {
        Self {
            state: State::Passed { call, passed },
            decider,
        }
    }

    pub(super) fn refused(decider: Arc<Decider>, refused: Refused, protocol: Protocol) -> Self {
        Self {
            state: State::Refused { refused, protocol },
            decider,
        }
    }

    pub(super) fn deciding(
        decider: Arc<Decider>,
        key: Option<Key>,
        service: S,
        request: Request<ReqBody>,
    ) -> Self
    where
        S: Send + 'static,
        ReqBody: Send + 'static,
    {
        let decides = decider.clone();
        let deciding = Box::pin(async move {
            let (parts, body) = request.into_parts();
            let verdict = decides.decide(&parts, key).await;
            (verdict, service, Request::from_parts(parts, body))
        });
        Self {
            state: State::Deciding { deciding },
            decider,
        }
    }
}

impl<S, ReqBody, ResBody> Future for RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Projected::Passed { call, passed } => {
                    let response = ready!(call.poll(cx))?;
                    let Some(held) = passed.held.take() else {
                        return finish(this.decider, &passed.decisions, response, None);
                    };
                    let decisions = std::mem::take(&mut passed.decisions);
                    let (head, body) = response.into_parts();
                    let outcome = this.decider.outcome(&head);
                    let response = Response::from_parts(head, body);
                    if !this.decider.has_work(&held, outcome) {
                        return finish(this.decider, &decisions, response, Some(held));
                    }
                    State::Settling {
                        settling: settle(this.decider.clone(), held, outcome, decisions),
                        response: Some(Box::new(response)),
                    }
                }
                Projected::Settling { settling, response } => {
                    let (decisions, held) = ready!(settling.as_mut().poll(cx));
                    return match response.take() {
                        Some(response) => finish(this.decider, &decisions, *response, Some(held)),
                        // Polled again after it was ready, which the contract of a future forbids.
                        None => Poll::Pending,
                    };
                }
                Projected::Deciding { deciding } => match ready!(deciding.as_mut().poll(cx)) {
                    (Verdict::Pass(passed), mut service, request) => State::Passed {
                        call: service.call(request),
                        passed,
                    },
                    (Verdict::Refuse(refused), _, request) => State::Refused {
                        refused,
                        protocol: Protocol::of(request.headers()),
                    },
                },
                Projected::Refused { refused, protocol } => {
                    return Poll::Ready(Ok(this.decider.refusal(refused.clone(), *protocol)));
                }
            };
            this.state.set(next);
        }
    }
}

/// Returns the response of the inner service, with the header fields of the limits. Its body keeps the
/// permits of the request.
#[inline]
fn finish<B: Body, E>(
    decider: &Decider,
    decisions: &Decisions,
    response: Response<B>,
    held: Option<Box<Held>>,
) -> Poll<Result<Response<ResponseBody<B>>, E>> {
    let permits = held.map_or_else(Vec::new, |held| held.permits);
    let mut response = response.map(|body| match permits.is_empty() {
        true => ResponseBody::inner(body),
        false => ResponseBody::inner(body).holding(permits),
    });
    decider.add_headers(decisions, response.headers_mut());
    Poll::Ready(Ok(response))
}

fn settle(
    decider: Arc<Decider>,
    mut held: Box<Held>,
    outcome: Outcome,
    mut decisions: Decisions,
) -> Settling {
    Box::pin(async move {
        decider.settle(&mut held, outcome, &mut decisions).await;
        (decisions, held)
    })
}

impl<S, ReqBody> fmt::Debug for RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}
