use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Found, LoadError};

/// The future of a [`Loader`](super::Loader). A near hit allocates nothing.
///
/// # Cancellation
/// A dropped future stops waiting. A call of the inner service that has begun goes on.
#[must_use = "futures do nothing unless polled"]
pub struct LoaderFuture<V, E> {
    state: State<V, E>,
}

enum State<V, E> {
    Near(Found<V>),
    Miss(Pin<Box<dyn Future<Output = Answer<V, E>> + Send>>),
    /// It has been answered. Another poll, which the contract of futures forbids, polls nothing.
    Done,
}

type Answer<V, E> = Result<Found<V>, LoadError<E>>;

impl<V, E> LoaderFuture<V, E> {
    pub(super) fn near(found: Found<V>) -> Self {
        let state = State::Near(found);
        Self { state }
    }

    pub(super) fn miss(answer: impl Future<Output = Answer<V, E>> + Send + 'static) -> Self {
        let state = State::Miss(Box::pin(answer));
        Self { state }
    }
}

impl<V, E> Future for LoaderFuture<V, E> {
    type Output = Answer<V, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Near(found) => Poll::Ready(Ok(found)),
            State::Miss(mut answer) => {
                let poll = answer.as_mut().poll(cx);
                if poll.is_pending() {
                    self.state = State::Miss(answer);
                }
                poll
            }
            State::Done => Poll::Pending,
        }
    }
}

impl<V, E> fmt::Debug for LoaderFuture<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoaderFuture").finish_non_exhaustive()
    }
}
