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
use super::verdict::{Decisions, Held, Pass, Passed, Refused, Verdict};
use crate::headers::{Fields, Left};

pin_project! {
    /// The response future of a [`RateLimit`](crate::RateLimit).
    ///
    /// It boxes nothing if the layer has one limit whose store answers at once, and only the fields of the
    /// draft are left to add. Otherwise it boxes the remaining work.
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future, S::Response>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, ReqBody, F, R> {
        Deciding {
            deciding: Deciding<S, ReqBody>,
            decider: Arc<Decider>,
        },
        /// The request passes, and these fields are added to its response.
        Brief {
            #[pin]
            call: F,
            fields: Option<(&'static Fields, Left)>,
        },
        Passed {
            #[pin]
            call: F,
            passed: Box<Passed>,
            decider: Arc<Decider>,
        },
        Settling {
            settling: Settling,
            response: Option<Box<R>>,
            decider: Arc<Decider>,
        },
        Refused {
            refused: Option<Box<Refused>>,
            protocol: Protocol,
            decider: Arc<Decider>,
        },
        /// It has been answered. Another poll, which the contract of futures forbids, polls nothing.
        Done,
    }
}

/// The verdict, and what is needed to call the inner service.
type Deciding<S, ReqBody> = Pin<Box<dyn Future<Output = (Verdict, S, Request<ReqBody>)> + Send>>;

/// The work that is left after the charges are settled.
type Settling = Pin<Box<dyn Future<Output = (Decisions, Box<Held>)> + Send>>;

impl<S, ReqBody> RateLimitFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    #[inline]
    pub(super) fn passed(decider: &Arc<Decider>, call: S::Future, pass: Pass) -> Self {
        let state = State::passed(decider, call, pass);
        Self { state }
    }

    pub(super) fn refused(
        decider: Arc<Decider>,
        refused: Box<Refused>,
        protocol: Protocol,
    ) -> Self {
        Self {
            state: State::Refused {
                refused: Some(refused),
                protocol,
                decider,
            },
        }
    }

    pub(super) fn deciding(
        decider: Arc<Decider>,
        key: Option<Box<Key>>,
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
            state: State::Deciding { deciding, decider },
        }
    }
}

impl<S, ReqBody, F, R> State<S, ReqBody, F, R> {
    #[inline]
    fn passed(decider: &Arc<Decider>, call: F, pass: Pass) -> Self {
        let fields = match pass {
            Pass::Nothing => None,
            Pass::Fields(fields, left) => Some((fields, left)),
            Pass::Full(passed) => {
                let decider = decider.clone();
                return Self::Passed {
                    call,
                    passed,
                    decider,
                };
            }
        };
        Self::Brief { call, fields }
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
        let answer = ready!(this.state.as_mut().poll(cx));
        this.state.set(State::Done);
        Poll::Ready(answer)
    }
}

impl<S, ReqBody, ResBody> State<S, ReqBody, S::Future, S::Response>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    #[inline]
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<ResBody>>, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                Projected::Brief { call, fields } => {
                    let mut response = ready!(call.poll(cx))?.map(ResponseBody::inner);
                    if let Some((fields, left)) = fields {
                        fields.append(*left, response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
                Projected::Passed {
                    call,
                    passed,
                    decider,
                } => {
                    let response = ready!(call.poll(cx))?;
                    let Some(held) = passed.held.take() else {
                        return finish(decider, &passed.decisions, response, None);
                    };
                    let decisions = std::mem::take(&mut passed.decisions);
                    let (head, body) = response.into_parts();
                    let outcome = decider.outcome(&head);
                    let response = Response::from_parts(head, body);
                    if !decider.has_work(&held, outcome) {
                        return finish(decider, &decisions, response, Some(held));
                    }
                    State::Settling {
                        settling: settle(decider.clone(), held, outcome, decisions),
                        response: Some(Box::new(response)),
                        decider: decider.clone(),
                    }
                }
                Projected::Settling {
                    settling,
                    response,
                    decider,
                } => {
                    let (decisions, held) = ready!(settling.as_mut().poll(cx));
                    return match response.take() {
                        Some(response) => finish(decider, &decisions, *response, Some(held)),
                        None => Poll::Pending,
                    };
                }
                Projected::Deciding { deciding, decider } => {
                    match ready!(deciding.as_mut().poll(cx)) {
                        (Verdict::Pass(pass), mut service, request) => {
                            State::passed(decider, service.call(request), pass)
                        }
                        (Verdict::Refuse(refused), _, request) => State::Refused {
                            refused: Some(refused),
                            protocol: Protocol::of(request.headers()),
                            decider: decider.clone(),
                        },
                    }
                }
                Projected::Refused {
                    refused,
                    protocol,
                    decider,
                } => {
                    return match refused.take() {
                        Some(refused) => Poll::Ready(Ok(decider.refusal(*refused, *protocol))),
                        None => Poll::Pending,
                    };
                }
                Projected::Done => return Poll::Pending,
            };
            self.set(next);
        }
    }
}

/// Returns the response of the inner service, with the header fields of the limits. Its body keeps the
/// permits of the request.
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
