use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Failure, Follower, Leader};
use larder_store::{Timestamp, Ttl};
use tokio::time::Instant;

use crate::cache::Inner;
use crate::far::Far;
use crate::found::Keep;
use crate::{CacheKey, Found, Loaded, Source};

/// What a flight gives to all its callers: a value, or the error of its loader.
///
/// The error is erased: the callers of one key may expect different types.
pub(crate) type Outcome<V> = Result<Found<V>, Arc<dyn Any + Send + Sync>>;

/// The work of a flight: read the far store, load if that is a miss, and keep the value.
///
/// The flight ends when the task does, however it ends.
pub(crate) struct LoadTask<K: CacheKey, V: Send + Sync + 'static> {
    // Dropped first, so that an end is counted before the callers are woken.
    unfinished: Unfinished<K, V>,
    inner: Arc<Inner<K, V>>,
    key: K,
    leader: Leader<K, Outcome<V>>,
}

impl<K: CacheKey, V: Send + Sync + 'static> LoadTask<K, V> {
    pub(crate) fn new(inner: Arc<Inner<K, V>>, key: K, leader: Leader<K, Outcome<V>>) -> Self {
        Self {
            unfinished: Unfinished {
                inner: inner.clone(),
                is_finished: false,
            },
            inner,
            key,
            leader,
        }
    }

    pub(crate) fn follow(&self) -> Follower<Outcome<V>> {
        self.leader.follow()
    }

    /// Reads the far store, then runs the loader; keeps the value near and far, then completes.
    pub(crate) async fn run<Fut, L, E>(self, load: Fut, deadline: Instant)
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
                    return self.complete(Found::new(value, Source::Far));
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
            Ok(Err(error)) => return self.refuse(Arc::new(error)),
            Err(_) => return self.fail(Failure::TimedOut),
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
        self.complete(Found::new(value, Source::Loaded));
    }

    fn ttl(&self, keep: Keep) -> Option<Ttl> {
        match keep {
            Keep::Usual => Some(self.inner.lifetime.ttl),
            Keep::For(ttl) => Some(ttl),
            Keep::Not => None,
        }
    }

    /// Keeps a near copy, unless the key was changed since the flight began.
    fn keep_near(&self, value: &Arc<V>, ends: Timestamp) {
        let inner = &self.inner;
        let ends = inner
            .lifetime
            .near_deadline(inner.clock.now(), ends, rand::random());
        let kept = self
            .leader
            .if_current(|| inner.near.insert(self.key.clone(), value.clone(), ends));
        if kept.is_none() {
            inner.metrics.outdated.increment(1);
        }
    }

    /// Writes the value far, unless the key was changed since the flight began.
    ///
    /// The value is good without it, so an error is only counted and logged.
    async fn keep_far(&self, far: &Far<V>, value: &V, ends: Timestamp, took: Duration) {
        let written = async {
            let key = far.key(&self.key);
            let put = far.seal(key, value, self.inner.clock.now(), ends, took)?;
            let _lock = far.locks.for_load(far.timeout, put.key()).await?;
            if self.leader.is_invalidated() {
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

    fn complete(mut self, found: Found<V>) {
        self.unfinished.is_finished = true;
        self.leader.complete(Ok(found));
    }

    /// Completes the flight with the error of its loader.
    fn refuse(mut self, error: Arc<dyn Any + Send + Sync>) {
        self.unfinished.is_finished = true;
        self.inner.metrics.failed.increment(1);
        self.leader.complete(Err(error));
    }

    /// Ends the flight without a value.
    pub(crate) fn fail(mut self, failure: Failure) {
        self.unfinished.is_finished = true;
        self.inner.metrics.load_failed(failure);
        self.leader.fail(failure);
    }
}

/// Counts a load that is dropped before its end.
struct Unfinished<K: CacheKey, V: Send + Sync + 'static> {
    inner: Arc<Inner<K, V>>,
    is_finished: bool,
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Unfinished<K, V> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.inner.metrics.load_failed(if std::thread::panicking() {
                Failure::Panicked
            } else {
                Failure::Abandoned
            });
        }
    }
}
