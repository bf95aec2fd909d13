use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Runs `work` to its end, even if the caller drops it.
///
/// It runs where it is awaited. If it is dropped before its end, it goes on in a task of its own, so that
/// a client that disconnects leaves nothing half done.
pub(crate) fn run_to_completion<T>(
    work: impl Future<Output = T> + Send + 'static,
) -> RunToCompletion<T> {
    RunToCompletion {
        work: Some(Box::pin(work)),
        is_polled: false,
    }
}

/// The future of [`run_to_completion`].
pub(crate) struct RunToCompletion<T: 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    /// Whether it is being polled. If it is dropped then, it has panicked.
    is_polled: bool,
}

impl<T> Future for RunToCompletion<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        // It must not be polled again after it was ready.
        let Some(work) = &mut this.work else {
            return Poll::Pending;
        };
        this.is_polled = true;
        let polled = work.as_mut().poll(cx);
        this.is_polled = false;
        if polled.is_ready() {
            this.work = None;
        }
        polled
    }
}

impl<T> Drop for RunToCompletion<T> {
    fn drop(&mut self) {
        let work = self.work.take().filter(|_| !self.is_polled);
        if let (Some(work), Ok(runtime)) = (work, Handle::try_current()) {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_is_dropped_halfway_is_still_done() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let mut work = run_to_completion(async move {
            let _ = wait.await;
            let _ = done.send(());
        });
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok(()));
    }

    #[tokio::test]
    async fn work_that_is_awaited_is_done_once() {
        assert_eq!(run_to_completion(async { 1 }).await, 1);
    }
}
