use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{NearCache, SingleFlight};
use larder_store::{Clock, Delete, Key, KeyId, Kind, Result, Ttl};

use crate::far::{Far, Stored};
use crate::invalidation::Invalidation;
use crate::leader::Outcome;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::{CacheBuilder, Found, Source};

/// A type that can name a value in a [`Cache`]: any type that has these traits.
///
/// Two keys must write the same id if and only if they are equal.
pub trait CacheKey: KeyId + Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: KeyId + Hash + Eq + Clone + Send + Sync + 'static> CacheKey for K {}

/// Caches values of type `V` by keys of type `K`, in this process and in a far store.
///
/// Clones are cheap and share everything. A value is handed out as an `Arc`; a hit in the near
/// tier decodes, boxes and allocates nothing.
///
/// `Drop` of a value and `Hash` and `Eq` of a key run under a lock of the cache: they must not
/// call it.
pub struct Cache<K, V> {
    pub(crate) inner: Arc<Inner<K, V>>,
}

/// The state that all clones share.
///
/// The near tier of a key changes in one of three ways, so that a value which was invalidated is
/// never near: an invalidation first invalidates the flight, then the near copy; a leader keeps
/// its value only while its flight is current; a read without a flight keeps its value only if the
/// generation of the key is unchanged.
pub(crate) struct Inner<K, V> {
    pub(crate) kind: Kind,
    pub(crate) near: NearCache<K, Arc<V>>,
    pub(crate) far: Option<Far<V>>,
    pub(crate) flights: Arc<SingleFlight<K, Outcome<V>>>,
    pub(crate) lifetime: Lifetime,
    pub(crate) load_timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Begins a cache of values that live for `ttl`, under keys of `kind`, in this process alone.
    ///
    /// Give each cache a kind of its own: the kind is part of its far keys, and labels its metrics.
    pub fn builder(kind: Kind, ttl: Ttl) -> CacheBuilder<K, V> {
        CacheBuilder::new(kind, ttl)
    }

    pub(crate) fn from_inner(inner: Inner<K, V>) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the near value of `key`, without waiting, a round trip or an allocation.
    pub fn get_near(&self, key: &K) -> Option<Arc<V>> {
        self.inner.near_hit(key)
    }

    /// Returns the cached value of `key`, near or far.
    ///
    /// A near hit takes no round trip, everything else one. A far store that fails or is late is a
    /// miss, and counted.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn get(&self, key: &K) -> Option<Arc<V>> {
        self.find(key).await.map(|found| found.value)
    }

    /// Does the same as [`get`](Self::get), and says where the value came from.
    pub async fn find(&self, key: &K) -> Option<Found<V>> {
        if let Some(value) = self.inner.near_hit(key) {
            return Some(Found::new(value, Source::Near));
        }
        let found = self.inner.find_far(key).await;
        if found.is_none() {
            self.inner.metrics.misses.increment(1);
        }
        found
    }

    /// Stores `value` for the cache's TTL, far and then near.
    ///
    /// It takes one round trip if there is a far store. A load that began before is not stored
    /// over it.
    ///
    /// # Errors
    /// Those of the far store; [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the
    /// codec cannot read the value back, with the codecs that can;
    /// [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge). The value is near all the same;
    /// an older one may be left in the far store, and so in other processes. Without a far store
    /// there is no error.
    ///
    /// # Cancellation
    /// A dropped call may or may not have stored the value; an older near copy is gone.
    pub async fn insert(&self, key: K, value: impl Into<Arc<V>>) -> Result<()> {
        let (inner, value) = (&*self.inner, value.into());
        let now = inner.clock.now();
        let deadline = inner
            .lifetime
            .deadline(now, inner.lifetime.ttl, rand::random());
        let near_deadline = inner.lifetime.near_deadline(now, deadline, rand::random());
        // Held until the value is near too, so that two inserts end in one order.
        let mut lock = None;
        let mut stored = Ok(());
        if let Some(far) = &inner.far {
            let invalidation = Invalidation::begin(inner, &key);
            stored = async {
                let put = far.seal(far.key(&key), &value, now, deadline, Duration::ZERO)?;
                let locked = far.locks.for_change(far.timeout, "put", put.key()).await?;
                lock = Some(locked);
                far.write(&put).await
            }
            .await;
            if let Err(error) = &stored {
                inner.metrics.far_write_failed(error);
                far.log_failed_write(error);
            }
            invalidation.replace();
        }
        inner
            .flights
            .replace(key, |key| inner.near.put(key, value, near_deadline));
        drop(lock);
        stored
    }

    /// Removes the value of `key`, far and then near.
    ///
    /// It takes one round trip if there is a far store. Once it is done, no load that began before
    /// is stored by this process, and no caller that asks from then on waits for one. Near copies
    /// in other processes stay for at most their near TTL.
    ///
    /// # Errors
    /// Those of the far store. The near copy is gone all the same; the far one may be left.
    /// Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call has removed the near copy, and may or may not have removed the far one.
    pub async fn remove(&self, key: &K) -> Result<()> {
        let inner = &*self.inner;
        let Some(far) = &inner.far else {
            inner.invalidate(key);
            return Ok(());
        };
        // Held until the invalidation ends, so that no load that began before is written after it.
        let mut lock = None;
        let invalidation = Invalidation::begin(inner, key);
        let deleted = async {
            let delete = Delete::new(far.key(key));
            let locked = far.locks.for_change(far.timeout, "delete", delete.key());
            lock = Some(locked.await?);
            far.delete(&delete).await
        }
        .await;
        drop(invalidation);
        drop(lock);
        if deleted.is_err() {
            inner.metrics.far_delete_errors.increment(1);
        }
        deleted
    }

    /// Returns the number of loads that are running, including the far reads before them.
    pub fn loads_under_way(&self) -> usize {
        self.inner.flights.under_way()
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Returns the near value, unless it has ended, and counts a hit.
    pub(crate) fn near_hit(&self, key: &K) -> Option<Arc<V>> {
        let held = self.near.get(key)?;
        if !self.clock.is_before(held.deadline) {
            return None;
        }
        self.metrics.near_hits.increment(1);
        Some(held.value)
    }

    /// Returns the same for a caller that has just missed.
    pub(crate) fn peek_near(&self, key: &K) -> Option<Arc<V>> {
        let held = self.near.peek(key)?;
        self.clock.is_before(held.deadline).then_some(held.value)
    }

    /// Reads far, and keeps a copy near unless the key was changed since.
    async fn find_far(&self, key: &K) -> Option<Found<V>> {
        let far = self.far.as_ref()?;
        let generation = self.near.generation(key);
        let stored = self.read_far(far, &far.key(key)).await.ok()??;
        let value = Arc::new(stored.value);
        let near_deadline =
            self.lifetime
                .near_deadline(self.clock.now(), stored.deadline, rand::random());
        let is_kept =
            self.near
                .insert_if_unchanged(key.clone(), value.clone(), near_deadline, generation);
        if !is_kept {
            self.metrics.outdated.increment(1);
        }
        self.metrics.far_hits.increment(1);
        Some(Found::new(value, Source::Far))
    }

    /// Reads far, and counts and logs an error.
    pub(crate) async fn read_far(&self, far: &Far<V>, key: &Key) -> Result<Option<Stored<V>>> {
        let read = far.read(key, self.clock.now()).await;
        if let Err(error) = &read {
            self.metrics.far_get_errors.increment(1);
            tracing::debug!(kind = self.kind.name(), %error, "the far store did not answer: a miss");
        }
        read
    }

    /// Removes the near copy of `key`, and keeps everything that is being read of it from
    /// becoming one.
    pub(crate) fn invalidate(&self, key: &K) {
        // A leader that keeps its value before the first step loses it by the second.
        self.flights.invalidate(key);
        self.near.invalidate(key);
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let far = self.inner.far.as_ref();
        f.debug_struct("Cache")
            .field("kind", &self.inner.kind.name())
            .field("far", &far.map(|far| far.store.location()))
            .field("loads_under_way", &self.inner.flights.under_way())
            .finish_non_exhaustive()
    }
}
