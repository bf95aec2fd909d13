use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tower_service::Service;

use super::TowerViolation;

/// A service that checks whether each call follows a ready `poll_ready`.
///
/// Each call must be on the same instance that was polled ready, and needs its own `poll_ready`.
///
/// A clone is not ready, as in tower's own services. An instance is not ready at once either: the first
/// `poll_ready` for each call is pending once. Violations do not panic: [`Watch::violations`] returns
/// them.
#[derive(Debug)]
pub struct ReadyProbe<S> {
    inner: S,
    readiness: Readiness,
    seen: Arc<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Fresh,
    Asked,
    Ready,
}

/// The observations of a probe and all its clones.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    calls: AtomicUsize,
    calls_unready: AtomicUsize,
}

impl<S> ReadyProbe<S> {
    /// Wraps `inner` in a probe.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            readiness: Readiness::Fresh,
            seen: Arc::default(),
        }
    }

    /// Returns the observations of this probe and its clones.
    pub fn watch(&self) -> Watch {
        Watch(self.seen.clone())
    }
}

impl Watch {
    /// Returns how often an instance was called, ready or not.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Returns a [`TowerViolation::CalledUnready`] for each call of an instance that was not ready.
    pub fn violations(&self) -> Vec<TowerViolation> {
        let unready = self.0.calls_unready.load(Ordering::SeqCst);
        vec![TowerViolation::CalledUnready; unready]
    }
}

impl<S: Clone> Clone for ReadyProbe<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            readiness: Readiness::Fresh,
            seen: self.seen.clone(),
        }
    }
}

impl<S, Request> Service<Request> for ReadyProbe<S>
where
    S: Service<Request>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.readiness == Readiness::Fresh {
            self.readiness = Readiness::Asked;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let ready = self.inner.poll_ready(cx);
        if let Poll::Ready(Ok(())) = ready {
            self.readiness = Readiness::Ready;
        }
        ready
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        if self.readiness != Readiness::Ready {
            self.seen.calls_unready.fetch_add(1, Ordering::SeqCst);
        }
        self.readiness = Readiness::Fresh;
        self.inner.call(request)
    }
}
