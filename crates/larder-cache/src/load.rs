use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Instrument;

use crate::cache::Inner;
use crate::flight::{Failure, Flight};
use crate::lead::Lead;
use crate::{Cache, CacheKey, Found, LoadError, Loaded, Source};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// What is cached for `key`, or else what the loader gives, which is then cached for the
    /// cache's TTL. Any number of callers of one key run one loader, and one far read before it.
    ///
    /// `load` is called only if this caller is the one who loads. The future it makes is polled once
    /// by this caller, and if there is more to it runs in a task of its own; errors and panics reach
    /// everyone who waits for it, and are not cached.
    ///
    /// # Errors
    /// [`LoadError`]. An error of the far store is none: it is counted, and the loader runs.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    ///
    /// # Cancellation
    /// A dropped call stops waiting. The load goes on for the others, and is cached even if nobody
    /// is left.
    pub async fn get_or_load<F, Fut, E>(&self, key: &K, load: F) -> Result<Arc<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let found = self.find_or_load(key, load).await?;
        Ok(found.value)
    }

    /// As [`get_or_load`](Self::get_or_load), and tells where the value came from. Its loader may
    /// give a [`Loaded`] instead of a value, to say how long to keep it.
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
        self.board_or_load(key, load).await
    }

    async fn board_or_load<F, Fut, L, E>(&self, key: &K, load: F) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let deadline = Instant::now() + self.inner.load_deadline;
        loop {
            match board(&self.inner, key) {
                Boarding::Near(value) => {
                    self.inner.metrics.near_hits.increment(1);
                    return Ok(Found::new(value, Source::Near));
                }
                Boarding::Follow(flight) => {
                    self.inner.metrics.coalesced.increment(1);
                    match flight.wait(deadline).await {
                        Ok(found) => return Ok(found.for_a_follower()),
                        Err(failure) => {
                            // The error of another call site, in a type this one does not know:
                            // it loads for itself.
                            if let Some(error) = failure.into_error() {
                                return Err(error);
                            }
                        }
                    }
                }
                Boarding::Lead(lead) => {
                    let flight = lead.flight.clone();
                    // A loader that panics before its first await is one that panics.
                    if let Ok(load) = catch_unwind(AssertUnwindSafe(load)) {
                        take_off(lead.fly(load, deadline).in_current_span()).await;
                    } else {
                        lead.land(Err(Failure::Panicked));
                    }
                    return flight.wait(deadline).await.map_err(|failure| {
                        // The error is this loader's own, so it is of this type.
                        failure.into_error().unwrap_or(LoadError::Abandoned)
                    });
                }
                Boarding::Full => {
                    self.inner.metrics.overloaded.increment(1);
                    return Err(LoadError::Overloaded);
                }
            }
        }
    }
}

/// Polls a flight once, here, and gives it a task of its own if there is more to it.
///
/// A load that never waits then costs no task, no wake-up and no timer. This caller cannot go away
/// in the middle of one poll, so nobody can tell the difference.
async fn take_off(flight: impl Future<Output = ()> + Send + 'static) {
    let runtime = Handle::current();
    let mut flight = Box::pin(flight);
    let polled = poll_fn(|cx| {
        // A panic has landed the flight by the time that it gets here.
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| flight.as_mut().poll(cx))))
    });
    if let Ok(Poll::Pending) = polled.await {
        runtime.spawn(flight);
    }
}

enum Boarding<K: CacheKey, V: Send + Sync + 'static> {
    Near(Arc<V>),
    Follow(Arc<Flight<V>>),
    Lead(Lead<K, V>),
    Full,
}

/// Finds the flight for `key`, or begins one.
fn board<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Arc<Inner<K, V>>,
    key: &K,
) -> Boarding<K, V> {
    let hash = inner.stripes.hash(key);
    let mut stripe = inner.stripes.lock(hash);
    if let Some(flight) = stripe.flight(key) {
        return Boarding::Follow(flight.clone());
    }
    // A flight may have landed between the miss and the lock.
    if let Some(value) = inner.near.get_again(key, &*inner.clock) {
        return Boarding::Near(value);
    }
    if !inner.airspace.enter() {
        return Boarding::Full;
    }
    Boarding::Lead(Lead {
        inner: inner.clone(),
        key: key.clone(),
        hash,
        flight: stripe.depart(key.clone()),
        landed: false,
    })
}
