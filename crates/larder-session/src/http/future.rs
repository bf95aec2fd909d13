use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::SET_COOKIE;
use http::{HeaderName, Response};
use pin_project_lite::pin_project;

use super::ResponseBody;
use super::headers::{add_cookie, add_vary};
use super::problem::{problem, unavailable};
use super::set_cookie::sets_cookie;
use crate::Session;
use crate::session::{Answer, Config, Outgoing, Verdict};

pin_project! {
    /// The response future of a [`SessionService`](crate::SessionService).
    ///
    /// It boxes only if the session has to be written.
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionFuture<F, B> {
        #[pin]
        state: State<F, B>,
        session: OfRequest,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, B> {
        Calling {
            #[pin]
            call: F,
        },
        Writing {
            writing: Writing<B>,
        },
        /// It has been answered. Another poll, which the contract of futures forbids, polls nothing.
        Done,
    }
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Writes the session, and returns the response and the verdict.
type Writing<B> = Pin<Box<dyn Future<Output = (Response<B>, Verdict)> + Send>>;

/// The session of a request, which is told when the request ends: a task may still have it.
struct OfRequest(Session);

impl Drop for OfRequest {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

impl<F, B> SessionFuture<F, B> {
    pub(super) fn new(call: F, session: Session) -> Self {
        Self {
            state: State::Calling { call },
            session: OfRequest(session),
        }
    }
}

impl<F, B, E> Future for SessionFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Send + 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let session = &this.session.0;
        let (response, verdict) = loop {
            match this.state.as_mut().project() {
                Projected::Calling { call } => {
                    let answer = ready!(call.poll(cx));
                    // The inner call is dropped, with everything that it holds of the request.
                    this.state.set(State::Done);
                    let response = answer?;
                    let status = response.status();
                    if let Some(verdict) = session.finish_now(status) {
                        break (response, verdict);
                    }
                    let session = session.clone();
                    let writing = Box::pin(async move {
                        let verdict = session.finish(status).await;
                        (response, verdict)
                    });
                    this.state.set(State::Writing { writing });
                }
                Projected::Writing { writing } => {
                    let written = ready!(writing.as_mut().poll(cx));
                    this.state.set(State::Done);
                    break written;
                }
                Projected::Done => return Poll::Pending,
            }
        };
        Poll::Ready(Ok(apply(response, &verdict, session.config())))
    }
}

/// Applies the verdict on the session to the response.
fn apply<B>(
    response: Response<B>,
    verdict: &Verdict,
    config: &Config,
) -> Response<ResponseBody<B>> {
    let mut response = match verdict.answer {
        Answer::Unused => return response.map(ResponseBody::inner),
        Answer::Given => response.map(ResponseBody::inner),
        Answer::Unavailable => {
            config.sessions.metrics.unavailable.increment(1);
            unavailable()
        }
        Answer::Refused(kind) => problem(kind, ResponseBody::text),
    };
    let headers = response.headers_mut();
    add_vary(headers);
    let cookie = match &verdict.cookie {
        Outgoing::Keep => None,
        Outgoing::Set(token, max_age) => config.cookie.set(token, *max_age),
        Outgoing::Remove => config.cookie.remove(),
    };
    if let Some(cookie) = cookie {
        if verdict.has_cookie {
            // Cookies from before it had a domain or was partitioned would stay beside this one.
            for twin in config.cookie.remove_twins() {
                headers.append(SET_COOKIE, twin);
            }
        }
        add_cookie(headers, cookie);
    }
    if verdict.is_signed_out
        && let Some(clear) = &config.clear_site_data
        && let Some(value) = clear.value(sets_cookie(headers))
    {
        headers.insert(CLEAR_SITE_DATA, value.clone());
    }
    response
}

impl<F, B> fmt::Debug for SessionFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}
