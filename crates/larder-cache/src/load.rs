use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use larder_layer::{Failure, Joined};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Instrument;

use crate::leader::{LoadTask, Outcome};
use crate::{Cache, CacheKey, Found, LoadError, Loaded, Source};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Returns the cached value of `key`, or loads it and caches it for the cache's TTL.
    ///
    /// Any number of callers of one key share one far read and one load. `load` is called only if
    /// this caller is the one that loads. Its future is polled once by this caller; if it is not
    /// ready then, it goes on in a task of its own. Errors and panics reach every caller that
    /// waits for the load, and are not cached.
    ///
    /// # Errors
    /// [`LoadError`]. An error of the far store is not returned: it is counted, and the loader runs.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    ///
    /// # Cancellation
    /// A dropped call stops waiting. The load goes on for the others, and its value is cached even
    /// if no caller is left.
    pub async fn get_or_load<F, Fut, E>(&self, key: &K, load: F) -> Result<Arc<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let found = self.find_or_load(key, load).await?;
        Ok(found.value)
    }

    /// Does the same as [`get_or_load`](Self::get_or_load), and says where the value came from.
    ///
    /// Its loader may return a [`Loaded`] instead of a value, to say how long to keep it.
    ///
    /// # Errors
    /// As [`get_or_load`](Self::get_or_load).
    pub async fn find_or_load<F, Fut, L, E>(
        &self,
        key: &K,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        if let Some(value) = self.inner.near_hit(key) {
            return Ok(Found::new(value, Source::Near));
        }
        self.join_or_load(key, load).await
    }

    async fn join_or_load<F, Fut, L, E>(&self, key: &K, load: F) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let inner = &self.inner;
        let deadline = Instant::now() + inner.load_timeout;
        loop {
            match inner.flights.join(key, || inner.peek_near(key)) {
                Joined::Hit(value) => {
                    inner.metrics.near_hits.increment(1);
                    return Ok(Found::new(value, Source::Near));
                }
                Joined::Follower(follower) => {
                    inner.metrics.coalesced.increment(1);
                    // None is the error of another call site, in a type that this one does not
                    // know: it loads for itself.
                    if let Some(answer) = answer(follower.outcome(deadline).await) {
                        return answer.map(Found::for_a_follower);
                    }
                }
                Joined::Leader(leader) => {
                    let task = LoadTask::new(inner.clone(), key.clone(), leader);
                    let follower = task.follow();
                    // A loader may panic before it returns a future.
                    if let Ok(load) = catch_unwind(AssertUnwindSafe(load)) {
                        spawn(task.run(load, deadline).in_current_span()).await;
                    } else {
                        task.fail(Failure::Panicked);
                    }
                    let outcome = follower.outcome(deadline).await;
                    // The error is this loader's own, so its type is known.
                    return answer(outcome).unwrap_or(Err(LoadError::Abandoned));
                }
                Joined::Full => {
                    inner.metrics.overloaded.increment(1);
                    return Err(LoadError::Overloaded);
                }
            }
        }
    }
}

/// Returns what a caller gets that expects errors of type `E`.
///
/// None if the loader's error is of another type.
fn answer<V, E: Send + Sync + 'static>(
    outcome: Result<Outcome<V>, Failure>,
) -> Option<Result<Found<V>, LoadError<E>>> {
    Some(match outcome {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(LoadError::Loader(error.downcast().ok()?)),
        Err(Failure::Panicked) => Err(LoadError::Panicked),
        Err(Failure::TimedOut) => Err(LoadError::TimedOut),
        Err(Failure::Abandoned) => Err(LoadError::Abandoned),
    })
}

/// Polls a task once here, and gives it to the runtime only if it is not ready.
///
/// A load that never waits then costs no task, no wake-up and no timer. A call cannot be dropped
/// in the middle of one poll, so nobody can see the difference.
async fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    let runtime = Handle::current();
    let mut task = Box::pin(task);
    let polled = poll_fn(|cx| {
        // A panic ends the flight on its way here.
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))))
    });
    if let Ok(Poll::Pending) = polled.await {
        runtime.spawn(task);
    }
}
