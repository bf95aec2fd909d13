use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::bypassed::BypassedResponse;
use crate::response::ResponseBody;

pin_project! {
    /// The future of a [`ResponseCache`](crate::ResponseCache).
    ///
    /// A hit in this process is ready at once, and what is never cached is the inner future: neither
    /// takes a box. The rest takes one.
    ///
    /// # Cancellation
    /// A dropped future that was waiting for another request's fetch harms nobody. One that was
    /// fetching for others hands that to one of them. What a response that came makes invalid, or
    /// has to store, is seen to in a task; and where the inner service was asked for a change and
    /// nobody knows what became of it, what is stored for its URI is removed.
    pub struct ResponseFuture<F, B: Body, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

pub(crate) type Boxed<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<F, B: Body, E> {
        Ready { response: Option<Response<ResponseBody<B>>> },
        Passed { #[pin] inner: F, passing: BypassedResponse },
        Boxed { inner: Boxed<B, E> },
    }
}

impl<F, B: Body, E> ResponseFuture<F, B, E> {
    pub(crate) fn ready(response: Response<ResponseBody<B>>) -> Self {
        let response = Some(response);
        Self {
            state: State::Ready { response },
        }
    }

    pub(crate) fn passed(inner: F, passing: BypassedResponse) -> Self {
        Self {
            state: State::Passed { inner, passing },
        }
    }

    pub(crate) fn boxed(inner: Boxed<B, E>) -> Self {
        Self {
            state: State::Boxed { inner },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            // A future is not polled again after it was ready.
            StateProjection::Ready { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            StateProjection::Passed { inner, passing } => {
                inner.poll(cx).map_ok(|response| passing.on(response))
            }
            StateProjection::Boxed { inner } => inner.as_mut().poll(cx),
        }
    }
}

impl<F, B: Body, E> std::fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
