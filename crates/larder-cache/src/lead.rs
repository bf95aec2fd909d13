use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{Timestamp, Ttl};
use tokio::time::Instant;

use crate::cache::Inner;
use crate::far::Far;
use crate::flight::{Failure, Flight, Outcome};
use crate::found::Keep;
use crate::{CacheKey, Found, Loaded, Source};

/// The one who leads a flight. However it ends, so does the flight.
pub(crate) struct Lead<K: CacheKey, V: Send + Sync + 'static> {
    pub(crate) inner: Arc<Inner<K, V>>,
    pub(crate) key: K,
    pub(crate) hash: u64,
    pub(crate) flight: Arc<Flight<V>>,
    pub(crate) landed: bool,
}

impl<K: CacheKey, V: Send + Sync + 'static> Lead<K, V> {
    /// Far, then the loader; then near, far, and to all who wait.
    pub(crate) async fn fly<Fut, L, E>(self, load: Fut, deadline: Instant)
    where
        Fut: Future<Output = Result<L, E>>,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let mut far = self.inner.far.as_ref();
        if let Some(store) = far {
            match self.inner.read_far(store, &store.key(&self.key)).await {
                Ok(Some(stored)) => {
                    self.inner.metrics.far_hits.increment(1);
                    let value = Arc::new(stored.value);
                    self.keep_near(&value, stored.deadline);
                    return self.land(Ok(Found::new(value, Source::Far)));
                }
                Ok(None) => {}
                // A store that has just failed is not waited for again.
                Err(_) => far = None,
            }
        }
        self.inner.metrics.misses.increment(1);
        let began = self.inner.clock.now();
        let loaded = match tokio::time::timeout_at(deadline, load).await {
            Ok(Ok(loaded)) => loaded.into(),
            Ok(Err(error)) => return self.land(Err(Failure::Loader(Arc::new(error)))),
            Err(_) => return self.land(Err(Failure::TimedOut)),
        };
        let now = self.inner.clock.now();
        let took = now.since(began);
        self.inner.metrics.loaded(took);
        let value = Arc::new(loaded.value);
        if let Some(ttl) = self.ttl(loaded.keep) {
            let ends = self.inner.lifetime.deadline(now, ttl, rand::random());
            self.keep_near(&value, ends);
            if let Some(far) = far {
                self.keep_far(far, &value, ends, took).await;
            }
        }
        self.land(Ok(Found::new(value, Source::Loaded)));
    }

    fn ttl(&self, keep: Keep) -> Option<Ttl> {
        match keep {
            Keep::Usual => Some(self.inner.lifetime.ttl),
            Keep::For(ttl) => Some(ttl),
            Keep::Not => None,
        }
    }

    /// Keeps a near copy, unless the key was written since the flight began.
    fn keep_near(&self, value: &Arc<V>, ends: Timestamp) {
        let inner = &self.inner;
        let ends = inner
            .lifetime
            .near_deadline(inner.clock.now(), ends, rand::random());
        let stripe = inner.stripes.lock(self.hash);
        if self.flight.is_stale() {
            inner.metrics.outdated.increment(1);
        } else {
            inner.near.insert(self.key.clone(), value.clone(), ends);
        }
        drop(stripe);
    }

    /// Writes the value far, unless the key was written since the flight began. The value is good
    /// without it, so an error is counted and no more.
    async fn keep_far(&self, far: &Far<V>, value: &V, ends: Timestamp, took: Duration) {
        let written = async {
            let put = far.seal(
                far.key(&self.key),
                value,
                self.inner.clock.now(),
                ends,
                took,
            )?;
            let _gate = far.enter_to_write_back(self.hash).await?;
            if self.flight.is_stale() {
                return Ok(());
            }
            far.write(&put).await
        }
        .await;
        if let Err(error) = written {
            self.inner.metrics.far_write_failed(&error);
            far.log_failed_write(&error);
        }
    }

    pub(crate) fn land(mut self, outcome: Outcome<V>) {
        self.arrive(outcome);
    }

    /// Takes the flight off first, so that one who is woken by a failure and asks again loads.
    fn arrive(&mut self, outcome: Outcome<V>) {
        self.landed = true;
        self.inner.stripes.lock(self.hash).arrive(&self.flight);
        self.inner.airspace.leave();
        let metrics = &self.inner.metrics;
        match &outcome {
            Ok(_) => {}
            Err(Failure::Loader(_)) => metrics.failed.increment(1),
            Err(Failure::Panicked) => metrics.panicked.increment(1),
            Err(Failure::TimedOut) => metrics.timed_out.increment(1),
            Err(Failure::Abandoned) => metrics.abandoned.increment(1),
        }
        self.flight.land(outcome);
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Lead<K, V> {
    fn drop(&mut self) {
        if !self.landed {
            self.arrive(Err(if std::thread::panicking() {
                Failure::Panicked
            } else {
                Failure::Abandoned
            }));
        }
    }
}
