use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{Clock, Key, KeyId, Kind, Result, Ttl};

use crate::far::{Far, Stored};
use crate::flight::Airspace;
use crate::invalidation::Invalidation;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::near::Near;
use crate::stripes::Stripes;
use crate::{Builder, Found, Source};

/// What can name a value in a [`Cache`]: every type that has these traits.
///
/// Two keys that are equal write the same id, and two that are not write different ones.
pub trait CacheKey: KeyId + Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: KeyId + Hash + Eq + Clone + Send + Sync + 'static> CacheKey for K {}

/// Values of type `V` by keys of type `K`: shared in this process, and where there is a far store,
/// with others.
///
/// Clones are cheap and share everything. A value is handed out as an `Arc`; a hit in the near
/// tier decodes, boxes and allocates nothing.
///
/// `Drop` of a value and `Hash` and `Eq` of a key run under a lock of the cache: they must not
/// call it.
pub struct Cache<K, V> {
    pub(crate) inner: Arc<Inner<K, V>>,
}

pub(crate) struct Inner<K, V> {
    pub(crate) kind: Kind,
    pub(crate) near: Near<K, V>,
    pub(crate) far: Option<Far<V>>,
    pub(crate) stripes: Stripes<K, V>,
    pub(crate) airspace: Airspace,
    pub(crate) lifetime: Lifetime,
    pub(crate) load_deadline: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Begins a cache of values that live for `ttl`, under keys of `kind`, in this process alone.
    ///
    /// Each cache needs a kind of its own: its far keys and its metrics are told apart by it.
    pub fn builder(kind: Kind, ttl: Ttl) -> Builder<K, V> {
        Builder::new(kind, ttl)
    }

    pub(crate) fn from_inner(inner: Inner<K, V>) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What the near tier holds for `key`: no waiting, no round trip, no allocation.
    pub fn get_near(&self, key: &K) -> Option<Arc<V>> {
        self.inner.near_hit(key)
    }

    /// What is cached for `key`, near or far. At most one round trip, none where it is near.
    ///
    /// A far store that fails or is late is a miss, and counted.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn get(&self, key: &K) -> Option<Arc<V>> {
        self.find(key).await.map(|found| found.value)
    }

    /// As [`get`](Self::get), and tells where the value came from.
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

    /// Stores `value` for the cache's TTL, far and then near. One round trip where there is a far
    /// store.
    ///
    /// A load that began before is not stored over it.
    ///
    /// # Errors
    /// As the far store gives them; [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) where
    /// the codec cannot give the value back, with the codecs that can, and
    /// [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge). The value is near all the same;
    /// far, and so for other processes, an older one may be left.
    /// Without a far store there is no error.
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
        let hash = inner.stripes.hash(&key);
        // Held until the value is near too, so that two inserts end in one order.
        let mut alone = None;
        let mut stored = Ok(());
        if let Some(far) = &inner.far {
            let invalidation = Invalidation::begin(inner, hash, &key);
            stored = async {
                let put = far.seal(far.key(&key), &value, now, deadline, Duration::ZERO)?;
                alone = Some(far.enter_alone("put", hash).await?);
                far.write(&put).await
            }
            .await;
            if let Err(error) = &stored {
                inner.metrics.far_write_failed(error);
                far.log_failed_write(error);
            }
            invalidation.replace();
        }
        let mut stripe = inner.stripes.lock(hash);
        stripe.outdate(&key);
        inner.near.insert(key, value, near_deadline);
        drop(stripe);
        drop(alone);
        stored
    }

    /// Removes the value of `key`, far and then near. One round trip where there is a far store.
    ///
    /// Once it is done, no load that began before is stored by this process, and no caller who
    /// asks from then on waits for one. Near copies of other processes stay for at most their
    /// near TTL.
    ///
    /// # Errors
    /// As the far store gives them. The near copy is gone all the same; the far one may be left.
    /// Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call has removed the near copy, and may or may not have removed the far one.
    pub async fn remove(&self, key: &K) -> Result<()> {
        let inner = &*self.inner;
        let hash = inner.stripes.hash(key);
        let Some(far) = &inner.far else {
            inner.outdate(hash, key);
            return Ok(());
        };
        // Held until the invalidation ends, so that no load that began before writes back after it.
        let mut alone = None;
        let invalidation = Invalidation::begin(inner, hash, key);
        let erased = async {
            alone = Some(far.enter_alone("delete", hash).await?);
            far.erase(far.key(key)).await
        }
        .await;
        drop(invalidation);
        drop(alone);
        if erased.is_err() {
            inner.metrics.far_delete_errors.increment(1);
        }
        erased
    }

    /// How many loads are running now, with the far reads before them.
    pub fn loads_under_way(&self) -> usize {
        self.inner.airspace.under_way()
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// The near value, counted.
    pub(crate) fn near_hit(&self, key: &K) -> Option<Arc<V>> {
        let value = self.near.get(key, &*self.clock)?;
        self.metrics.near_hits.increment(1);
        Some(value)
    }

    /// Reads far, and keeps a copy near unless the key, or a neighbour, was written since.
    async fn find_far(&self, key: &K) -> Option<Found<V>> {
        let far = self.far.as_ref()?;
        let hash = self.stripes.hash(key);
        let began = self.stripes.lock(hash).generation();
        let stored = self.read_far(far, &far.key(key)).await.ok()??;
        let value = Arc::new(stored.value);
        let near_deadline =
            self.lifetime
                .near_deadline(self.clock.now(), stored.deadline, rand::random());
        let stripe = self.stripes.lock(hash);
        if stripe.generation() == began {
            self.near.insert(key.clone(), value.clone(), near_deadline);
        } else {
            self.metrics.outdated.increment(1);
        }
        drop(stripe);
        self.metrics.far_hits.increment(1);
        Some(Found::new(value, Source::Far))
    }

    /// Reads far; an error, which is counted here, means only that the store does not answer.
    pub(crate) async fn read_far(&self, far: &Far<V>, key: &Key) -> Result<Option<Stored<V>>> {
        let read = far.read(key, self.clock.now()).await;
        if let Err(error) = &read {
            self.metrics.far_get_errors.increment(1);
            tracing::debug!(kind = self.kind.name(), %error, "far read failed: taken as a miss");
        }
        read
    }

    /// Outdates all that is being read of `key`, and removes its near copy, in one step.
    pub(crate) fn outdate(&self, hash: u64, key: &K) {
        let mut stripe = self.stripes.lock(hash);
        stripe.outdate(key);
        self.near.remove(key);
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
            .field("loads_under_way", &self.inner.airspace.under_way())
            .finish_non_exhaustive()
    }
}
