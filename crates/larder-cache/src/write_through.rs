use std::fmt;
use std::future::Future;
use std::slice;
use std::sync::Arc;

use larder_layer::Generation;
use larder_layer::tags::Tick;
use larder_store::lease::{Claimed, Fence};
use larder_store::{Error, Timestamp};

use crate::attributes::Removal;
use crate::cache::{Inner, Reading};
use crate::election::{Lead, Write};
use crate::found::Keep;
use crate::kept::Kept;
use crate::remote::Change;
use crate::tags::{Noted, near_marks};
use crate::{Cache, CacheKey, Loaded};

/// Why [`Cache::write_through`] or [`Cache::write_around`] failed.
///
/// `Display` and `Debug` do not show the error of the source, which is the
/// [`source`](std::error::Error::source).
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#the-typed-cache)
/// says what to do about each.
#[non_exhaustive]
pub enum WriteError<E> {
    /// The source returned this error. The value is no longer cached, since the write may have been
    /// carried out nevertheless.
    Source(E),
    /// The source was written, but the cache could not be changed everywhere. This process does not
    /// read the older value, and goes on trying to remove it.
    Cache(Error),
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Writes a value to its source, then caches it: write-through.
    ///
    /// `write` changes the source, and returns the value that is there now: a plain one, or a
    /// [`Loaded`] with a TTL or tags. The cached value is removed before it runs. Callers of the
    /// key wait meanwhile, for at most a [lease](crate::CacheBuilder::with_lease); then they load.
    ///
    /// The value is cached under the fence of a lease that was taken before the write. If the key
    /// was invalidated, written or loaded since, in any process, neither value is cached, because it is
    /// unknown which of the two writes came last. It takes four round
    /// trips. A far store without leases keeps no value that is written through.
    ///
    /// # Errors
    /// [`WriteError`].
    ///
    /// # Cancellation
    /// A dropped call may or may not have written the source. The value is removed.
    pub async fn write_through<Fut, L, E>(&self, key: K, write: Fut) -> Result<(), WriteError<E>>
    where
        Fut: Future<Output = Result<L, E>>,
        L: Into<Loaded<V>>,
    {
        let inner = &self.inner;
        inner.listening().await;
        let removal = Removal::begin(self, Some(key.clone()));
        let began = inner.clock.now();
        let begun = inner.begin_write(&key).await;
        let written = match write.await {
            Ok(loaded) => loaded.into(),
            Err(error) => {
                removal.finish_or_log().await;
                return Err(WriteError::Source(error));
            }
        };
        if inner.store_written(&key, written, began, begun).await {
            removal.forget();
            let keys = slice::from_ref(&key);
            // A release with another schema may have loaded it before the write.
            let removed = inner.invalidate_other_schemas(keys).await;
            let told = inner.publish_or_quarantine(Change::Removed, keys).await;
            return removed.and(told).map_err(WriteError::Cache);
        }
        removal.finish().await.map_err(WriteError::Cache)
    }

    /// Changes the source of a value, then removes the cached one: cache-aside.
    ///
    /// The value is removed whatever `write` returns, and even if the call is dropped: the source
    /// may have been changed. It takes two round trips.
    ///
    /// # Errors
    /// [`WriteError`].
    ///
    /// # Cancellation
    /// A dropped call may or may not have changed the source. The value is removed.
    pub async fn write_around<Fut, T, E>(&self, key: K, write: Fut) -> Result<T, WriteError<E>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let removal = Removal::begin(self, Some(key));
        match write.await {
            Ok(written) => match removal.finish().await {
                Ok(()) => Ok(written),
                Err(error) => Err(WriteError::Cache(error)),
            },
            Err(error) => {
                removal.finish_or_log().await;
                Err(WriteError::Source(error))
            }
        }
    }
}

/// The state of the cache before a write to the source.
struct Begun {
    generation: Generation,
    reading: Option<Reading>,
    /// None if the lease could not be taken.
    fence: Option<Fence>,
    tick: Tick,
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Removes the value, ends the loads of the key, and takes its lease.
    async fn begin_write(self: &Arc<Self>, key: &K) -> Begun {
        let turn = self.pending.turn();
        self.invalidate(key);
        let generation = self.near.generation(key);
        let Some(far) = &self.far else {
            return Begun {
                generation,
                reading: None,
                fence: None,
                tick: Tick::default(),
            };
        };
        let far_key = far.key(key);
        let reading = Some(self.begin_read(key, &far_key));
        let mut fence = None;
        if let Some(leases) = far.leases.as_deref() {
            let removed = self.invalidate_far(slice::from_ref(key), turn).await;
            if removed.iter().all(Result::is_ok)
                && let Ok(Claimed::Lead(taken)) = far.claim(leases, &far_key, None).await
            {
                fence = Some(taken);
            }
        }
        Begun {
            generation,
            reading,
            fence,
            tick: far.tick(),
        }
    }

    /// Caches the written value, unless the key was changed since. Returns whether it did.
    async fn store_written(
        &self,
        key: &K,
        written: Loaded<V>,
        began: Timestamp,
        begun: Begun,
    ) -> bool {
        let keep = written.keep;
        let (Some(value), tags) = written.into_parts() else {
            return false;
        };
        let ttl = match keep {
            Keep::Usual => self.lifetime.ttl,
            Keep::For(ttl) => ttl,
            Keep::Not => return false,
        };
        let times = self.lifetime.times(began, 0, ttl, rand::random());
        let tags = self.with_own_tag(tags);
        let near_until = self.lifetime.near_until(self.clock.now(), rand::random());
        let Some(far) = &self.far else {
            let kept = Kept::new(Some(value), times, near_marks(&tags), None, near_until);
            return self.keep_written(key, kept, &begun);
        };
        let (Some(fence), Some(leases)) = (begun.fence, far.leases.as_deref()) else {
            return false;
        };
        let lead = Lead {
            write: Write::Fenced(fence),
            previous: None,
            reading: begun.reading,
            tick: begun.tick,
        };
        let Noted::Carried(marks) = self.note_tags(&tags, &lead, began, &times).await else {
            return false;
        };
        let stored = async {
            let now = self.clock.now();
            let put = far.seal(far.key(key), Some(&value), now, times, marks.clone())?;
            let is_stored = far.commit(leases, &put, fence).await?;
            self.metrics.written(put.value().len());
            Ok(is_stored.then(|| put.version()))
        };
        match stored.await {
            Ok(Some(version)) => {
                let kept = Kept::new(Some(value), times, marks, Some(version), near_until);
                if self.keeps_near {
                    self.keep_written(key, kept, &begun);
                }
                true
            }
            Ok(None) => {
                self.metrics.outdated.increment(1);
                false
            }
            Err(error) => {
                self.metrics.far_write_failed(&error);
                far.log_failed_write(&error);
                false
            }
        }
    }

    /// Keeps a near copy, unless the key was changed since.
    fn keep_written(&self, key: &K, kept: Kept<V>, begun: &Begun) -> bool {
        let decide_at = kept.decide_at(&self.lifetime);
        let generation = begun.generation;
        self.flights.replace(key.clone(), |key| {
            let near = &self.near;
            let keep = || near.put_if_unchanged(key.clone(), kept, decide_at, generation);
            match &begun.reading {
                Some(reading) => self.keep_if_unchanged(&key, reading, keep),
                None => keep(),
            }
        })
    }
}

impl<E> WriteError<E> {
    /// Returns the error of the source, or None for an error of the cache.
    pub fn source_error(&self) -> Option<&E> {
        match self {
            Self::Source(error) => Some(error),
            Self::Cache(_) => None,
        }
    }
}

impl<E> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source(_) => "write: the source failed",
            Self::Cache(_) => "write: the source was written, but the cache could not be changed",
        })
    }
}

impl<E> fmt::Debug for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(_) => f.write_str("Source(..)"),
            Self::Cache(error) => f.debug_tuple("Cache").field(error).finish(),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WriteError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Cache(error) => Some(error),
        }
    }
}
