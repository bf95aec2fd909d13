use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::bypassed::BypassedResponse;
use crate::response::ResponseCacheBody;

pin_project! {
    /// The future of a [`ResponseCache`](crate::ResponseCache).
    ///
    /// A hit in this process is ready at once. A request that bypasses the cache and invalidates nothing is
    /// the inner future. Neither is boxed. Any other request takes one box.
    ///
    /// # Cancellation
    /// If a future is dropped, other requests go on: one of those that wait for its fetch takes the fetch
    /// over. A response that has begun to arrive is still stored, and responses that it invalidates are
    /// still removed, in a task. If an unsafe request is dropped before its response, the response that is
    /// stored for its URI is removed.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseCacheFuture<F, B: Body, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

type Boxed<B, E> = Pin<Box<dyn Future<Output = Result<Response<ResponseCacheBody<B>>, E>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<F, B: Body, E> {
        Ready { response: Option<Response<ResponseCacheBody<B>>> },
        Bypassed { #[pin] inner: F, bypassed: BypassedResponse },
        Boxed { inner: Boxed<B, E> },
    }
}

impl<F, B: Body, E> ResponseCacheFuture<F, B, E> {
    pub(super) fn ready(response: Response<ResponseCacheBody<B>>) -> Self {
        let response = Some(response);
        Self {
            state: State::Ready { response },
        }
    }

    pub(super) fn bypassed(inner: F, bypassed: BypassedResponse) -> Self {
        Self {
            state: State::Bypassed { inner, bypassed },
        }
    }

    pub(super) fn boxed(inner: Boxed<B, E>) -> Self {
        Self {
            state: State::Boxed { inner },
        }
    }
}

impl<F, B, E> Future for ResponseCacheFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseCacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            // It must not be polled again after it was ready.
            StateProjection::Ready { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            StateProjection::Bypassed { inner, bypassed } => {
                inner.poll(cx).map_ok(|response| bypassed.mark(response))
            }
            StateProjection::Boxed { inner } => inner.as_mut().poll(cx),
        }
    }
}

impl<F, B: Body, E> std::fmt::Debug for ResponseCacheFuture<F, B, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseCacheFuture")
            .finish_non_exhaustive()
    }
}
