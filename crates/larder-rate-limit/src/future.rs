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
use crate::policy::{Policy, Verdict};

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
        state: State<S, ReqBody, S::Future>,
        policy: Arc<Policy>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, ReqBody, F> {
        Asking {
            asking: Asking<S, ReqBody>,
        },
        Passed {
            #[pin]
            call: F,
            decision: Option<Decision>,
        },
        Refused {
            verdict: Verdict,
        },
    }
}

/// What comes back from the store: the verdict, and what is needed to go on.
type Asking<S, ReqBody> = Pin<Box<dyn Future<Output = (Verdict, S, Request<ReqBody>)> + Send>>;

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn passed(policy: Arc<Policy>, call: S::Future, decision: Option<Decision>) -> Self {
        Self {
            state: State::Passed { call, decision },
            policy,
        }
    }

    pub(crate) fn refused(policy: Arc<Policy>, verdict: Verdict) -> Self {
        Self {
            state: State::Refused { verdict },
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
            (verdict, service, request)
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
                    (Verdict::Pass(decision), mut service, request) => State::Passed {
                        call: service.call(request),
                        decision,
                    },
                    (verdict, ..) => State::Refused { verdict },
                },
                Projected::Passed { call, decision } => {
                    let mut response = ready!(call.poll(cx))?.map(ResponseBody::inner);
                    if let Some(decision) = decision {
                        this.policy.tell(decision, response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
                Projected::Refused { verdict } => {
                    return Poll::Ready(Ok(match verdict {
                        Verdict::TooMany(decision) => this.policy.too_many(*decision),
                        _ => this.policy.unavailable(),
                    }));
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
