use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Found, LoadError};

/// The future of a [`Loader`](super::Loader). A near hit allocates nothing.
///
/// # Panics
/// If it is polled again after it was ready.
///
/// # Cancellation
/// A dropped future stops waiting. A call of the inner service that has begun goes on.
pub struct ResponseFuture<V, E> {
    state: State<V, E>,
}

enum State<V, E> {
    Near(Option<Found<V>>),
    Miss(Pin<Box<dyn Future<Output = Answer<V, E>> + Send>>),
}

type Answer<V, E> = Result<Found<V>, LoadError<E>>;

impl<V, E> ResponseFuture<V, E> {
    pub(super) fn near(found: Found<V>) -> Self {
        let state = State::Near(Some(found));
        Self { state }
    }

    pub(super) fn miss(answer: impl Future<Output = Answer<V, E>> + Send + 'static) -> Self {
        let state = State::Miss(Box::pin(answer));
        Self { state }
    }
}

impl<V, E> Future for ResponseFuture<V, E> {
    type Output = Answer<V, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Near(found) => {
                // The contract of futures: a future that is ready is not polled again.
                #[allow(clippy::expect_used)]
                let found = found.take().expect("polled after it was ready");
                Poll::Ready(Ok(found))
            }
            State::Miss(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl<V, E> fmt::Debug for ResponseFuture<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
