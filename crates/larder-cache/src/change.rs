use std::slice;
use std::sync::Arc;

use larder_layer::tags::Tag;
use larder_store::lease::{Claimed, Leases};
use larder_store::{Error, ErrorKind, Key, Put, Result, Version};

use crate::cache::Inner;
use crate::envelope::TagMarks;
use crate::far::{Far, Read, Stored};
use crate::invalidation::Invalidation;
use crate::kept::Kept;
use crate::remote::Change;
use crate::tags::{Noted, near_marks};
use crate::{Cache, CacheKey};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Stores `value` for the cache's TTL, far and then near.
    ///
    /// It takes four round trips if there is a far store with leases and a bus: it ends every load
    /// that began before, takes the lease, writes under it, and tells other processes. A load that
    /// began before, in any process, is not stored over it. If the key is invalidated or loaded anew
    /// meanwhile, that wins, and the value is not kept.
    ///
    /// # Errors
    /// Those of the far store; [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the
    /// codec cannot read the value back, with the codecs that can;
    /// [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge). The value is near all the same.
    /// An older one that could not be removed far is not read by this process, which goes on
    /// trying to remove it. Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call may or may not have stored the value; an older near copy is gone. It may leave
    /// a lease that nobody holds, so that loads of the key wait until it has ended.
    pub async fn insert(&self, key: K, value: impl Into<Arc<V>>) -> Result<()> {
        self.insert_with(key, value.into(), Vec::new()).await
    }

    /// Does the same as [`insert`](Self::insert), and gives the value tags.
    ///
    /// [`Loaded::with_tags`](crate::Loaded::with_tags) says what a tag may be. It takes one round
    /// trip more.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if
    /// there are too many tags.
    ///
    /// # Cancellation
    /// As [`insert`](Self::insert).
    pub async fn insert_with_tags<T: AsRef<str>>(
        &self,
        key: K,
        value: impl Into<Arc<V>>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        let tags = tags.into_iter().map(|tag| Tag::new(tag.as_ref()));
        self.insert_with(key, value.into(), tags.collect()).await
    }

    async fn insert_with(&self, key: K, value: Arc<V>, tags: Vec<Tag>) -> Result<()> {
        let inner = &self.inner;
        let tags = inner.with_own_tag(tags);
        if tags.len() > TagMarks::MAX {
            let text = format!("a value carries at most {} tags", TagMarks::MAX);
            return Err(Error::new("insert", ErrorKind::Invalid, text));
        }
        inner.listen();
        let turn = inner.pending.turn();
        let now = inner.clock.now();
        let ttl = inner.lifetime.ttl;
        let times = inner.lifetime.times(now, 0, ttl, rand::random());
        let near_until = inner.lifetime.near_until(now, rand::random());
        let marks = near_marks(&tags);
        let mut kept = Kept::new(Some(value.clone()), times, marks, None, near_until);
        let decide_at = kept.decide_at(&inner.lifetime);
        let Some(far) = &inner.far else {
            inner
                .flights
                .replace(key, |key| inner.near.put(key, kept, decide_at));
            return Ok(());
        };
        let far_key = far.key(&key);
        let reading = inner.begin_read(&key, &far_key);
        let invalidation = Invalidation::begin(inner, &key, Change::Removed);
        let sealed = async {
            let marks = match inner.note_inserted(far, &tags, &times).await? {
                Noted::Carried(marks) => marks,
                Noted::Outdated => return Err(changing()),
            };
            far.seal(far_key.clone(), Some(&value), now, times, marks)
        }
        .await;
        // Held until the value is near too, so that two inserts end in one order.
        let locked = far.locks.for_change(far.timeout, "put", &far_key).await;
        let (lock, stored) = match locked {
            Ok(lock) => (Some(lock), inner.store_far(far, &key, sealed, turn).await),
            Err(error) => {
                inner.quarantine([key.clone()]);
                (None, Err(error))
            }
        };
        let is_kept = match &stored {
            Ok(version) => {
                kept.version = *version;
                version.is_some()
            }
            Err(error) => {
                inner.metrics.far_write_failed(error);
                far.log_failed_write(error);
                true
            }
        };
        if is_kept && inner.keeps_near {
            invalidation.replace();
            let keep = |key: K| {
                let is_kept = inner.keep_if_unchanged(&key, &reading, || {
                    if tags.is_empty() {
                        inner.near.put(key.clone(), kept, decide_at);
                        return true;
                    }
                    // A tag that changed since may be one of these.
                    let now = inner.near.generation(&key);
                    let before = now.with_sweeps_of(reading.generation);
                    inner
                        .near
                        .put_if_unchanged(key.clone(), kept, decide_at, before)
                });
                if !is_kept {
                    // A read that began before the write may have put an older copy there.
                    inner.near.invalidate(&key);
                }
            };
            inner.flights.replace(key.clone(), keep);
        } else {
            drop(invalidation);
        }
        drop(lock);
        // Also if the new value is not far: the older one is gone, or is being removed.
        let keys = slice::from_ref(&key);
        let told = inner.publish_or_quarantine(Change::Removed, keys).await;
        stored.and(told)
    }

    /// Removes the value of `key`, far and then near. It is not served any more, not even if a
    /// load fails.
    ///
    /// It takes one round trip if there is a far store, and one more to tell other processes. Once
    /// it is done, no load that began before, in any process, is stored in the far store, and no
    /// caller that asks from then on waits for one. Near copies in other processes are dropped when
    /// the message comes, and stay for at most their near TTL if it is lost.
    ///
    /// # Errors
    /// Those of the far store and of its bus. The near copy is gone all the same, and this process
    /// does not read the far value. It goes on trying until the removal has succeeded, for as long
    /// as the process lives. Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call has removed the near copy, and may or may not have removed the far one.
    pub async fn remove(&self, key: &K) -> Result<()> {
        self.change_one(key, Change::Removed).await
    }

    /// Removes the values of many keys, with a result for each.
    ///
    /// It takes one round trip for each node of the far store, and one more to tell other
    /// processes.
    ///
    /// # Errors
    /// As [`remove`](Self::remove) for each.
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove) for each.
    pub async fn remove_many(&self, keys: &[K]) -> Vec<Result<()>> {
        self.change(keys, Change::Removed).await
    }

    /// Ends the freshness of the value of `key`: the next caller loads.
    ///
    /// The value is only served if that load fails or is slow, within
    /// [`with_stale_if_error`](crate::CacheBuilder::with_stale_if_error). Without that setting it
    /// does the same as [`remove`](Self::remove). With it, it takes three round trips, and one more
    /// to tell other processes. If another process loads the value meanwhile, nothing is left of it
    /// in the far store.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove).
    pub async fn expire(&self, key: &K) -> Result<()> {
        self.change_one(key, Change::Expired).await
    }

    /// Ends the freshness of the values of many keys, with a result for each.
    ///
    /// It takes as many round trips as [`expire`](Self::expire), each for all keys.
    ///
    /// # Errors
    /// As [`remove`](Self::remove) for each.
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove) for each.
    pub async fn expire_many(&self, keys: &[K]) -> Vec<Result<()>> {
        self.change(keys, Change::Expired).await
    }

    async fn change_one(&self, key: &K, change: Change) -> Result<()> {
        let mut results = self.change(slice::from_ref(key), change).await;
        results.pop().unwrap_or(Ok(()))
    }

    async fn change(&self, keys: &[K], change: Change) -> Vec<Result<()>> {
        let inner = &self.inner;
        inner.listen();
        let turn = inner.pending.turn();
        let invalidations: Vec<_> = keys
            .iter()
            .map(|key| Invalidation::begin(&**inner, key, change))
            .collect();
        let Some(far) = &inner.far else {
            return keys.iter().map(|_| Ok(())).collect();
        };
        let far_keys: Vec<_> = keys.iter().map(|key| far.key(key)).collect();
        // Held until the invalidations end, so that no load that began before is written after.
        let locks = match far
            .locks
            .for_changes(far.timeout, "delete", &far_keys)
            .await
        {
            Ok(locks) => locks,
            Err(error) => {
                inner.quarantine(keys.iter().cloned());
                inner.metrics.far_delete_errors.increment(1);
                let kind = error.kind();
                return keys.iter().map(|_| Err(unlocked(kind))).collect();
            }
        };
        let mut results = match change {
            Change::Expired if inner.has_fallback() => {
                inner.expire_far(far, keys, &far_keys, turn).await
            }
            _ => inner.invalidate_far(keys, turn).await,
        };
        drop((invalidations, locks));
        // What failed is replayed, and told then.
        let changed = keys
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok());
        let changed: Vec<_> = changed.map(|(key, _)| key.clone()).collect();
        if changed.is_empty() {
            return results;
        }
        if let Err(error) = inner.publish_or_quarantine(change, &changed).await {
            let kind = error.kind();
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(untold(kind));
            }
        }
        results
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Writes an inserted value far. None if a later change or load of the key is under way.
    async fn store_far(
        self: &Arc<Self>,
        far: &Far<V>,
        key: &K,
        sealed: Result<Put>,
        turn: u64,
    ) -> Result<Option<Version>> {
        let Some(leases) = far.leases.as_deref() else {
            let put = match sealed {
                Ok(put) => put,
                Err(error) => {
                    // The older value must not outlive the new one.
                    self.invalidate_far(slice::from_ref(key), turn).await;
                    return Err(error);
                }
            };
            if let Err(error) = far.write(&put).await {
                // A store that has just failed is not waited for again.
                self.quarantine([key.clone()]);
                return Err(error);
            }
            self.pending.settle(key, turn);
            self.metrics.written(put.value().len());
            return Ok(Some(put.version()));
        };
        let mut removed = self.invalidate_far(slice::from_ref(key), turn).await;
        removed.pop().unwrap_or(Ok(()))?;
        let put = sealed?;
        self.metrics.written(put.value().len());
        let is_written = commit_new(far, leases, &put, None).await?;
        Ok(is_written.then_some(put.version()))
    }

    /// Ends the freshness of far entries, and keeps what may be served if a load fails.
    async fn expire_far(
        self: &Arc<Self>,
        far: &Far<V>,
        keys: &[K],
        far_keys: &[Key],
        turn: u64,
    ) -> Vec<Result<()>> {
        // What a removal that failed has left there is not kept: it goes the whole way now.
        let removed = keys.iter().filter(|key| self.pending.is_quarantined(key));
        let removed = &removed.cloned().collect::<Vec<_>>();
        let reads = far.read_many(far_keys, self.clock.now()).await;
        let parts = keys.iter().zip(far_keys).zip(reads);
        let kept = parts.map(|((key, far_key), read)| async move {
            match read {
                Ok(Read::Stored(stored)) if !removed.contains(key) => {
                    self.keep_stale(far, far_key, stored).await
                }
                _ => false,
            }
        });
        let kept = futures_util::future::join_all(kept).await;
        let left = keys.iter().zip(&kept).filter(|(_, is_kept)| !**is_kept);
        let left: Vec<_> = left.map(|(key, _)| key.clone()).collect();
        let mut results = match left.is_empty() {
            true => Vec::new(),
            false => self.invalidate_far(&left, turn).await,
        }
        .into_iter();
        if !removed.is_empty() {
            // An error is a quarantine, and is told when the removal is replayed.
            let _ = self.publish_or_quarantine(Change::Removed, removed).await;
        }
        kept.into_iter()
            .map(|is_kept| match is_kept {
                true => Ok(()),
                false => results.next().unwrap_or(Ok(())),
            })
            .collect()
    }

    /// Replaces an entry by one that may only be served if a load fails, if it is still the same.
    ///
    /// False if it is not, or another process loads it: then the entry is to be removed. So an entry
    /// that was removed since it was read is not put back.
    async fn keep_stale(&self, far: &Far<V>, key: &Key, stored: Stored<V>) -> bool {
        let now = self.clock.now();
        let mut times = stored.times;
        times.expire(now);
        let Some(value) = stored.value.filter(|_| now < times.stale_until) else {
            return false;
        };
        let kept = async {
            let put = far.seal(key.clone(), Some(&value), now, times, stored.tags)?;
            let put = put.if_version(stored.version);
            match far.leases.as_deref() {
                Some(leases) => commit_new(far, leases, &put, Some(stored.version)).await,
                None => far.write(&put).await,
            }
        };
        kept.await.unwrap_or_else(|error| {
            self.metrics.far_write_failed(&error);
            far.log_failed_write(&error);
            false
        })
    }
}

/// Writes under a lease of its own. False if the key has a new value or another leader by now, or
/// was invalidated meanwhile.
async fn commit_new<V: Send + Sync + 'static>(
    far: &Far<V>,
    leases: &dyn Leases,
    put: &Put,
    seen: Option<Version>,
) -> Result<bool> {
    match far.claim(leases, put.key(), seen).await? {
        Claimed::Lead(fence) => far.commit(leases, put, fence).await,
        Claimed::Fresh(_) | Claimed::Stale | Claimed::Follow => Ok(false),
    }
}

fn changing() -> Error {
    let text = "a tag of the value is being removed: the value is not stored";
    Error::new("insert", ErrorKind::NotSent, text)
}

fn unlocked(kind: ErrorKind) -> Error {
    let text = "earlier writes of the key did not end in time: the removal is tried again";
    Error::new("delete", kind, text)
}

fn untold(kind: ErrorKind) -> Error {
    let text = "the value is removed, but other processes were not told: it is tried again";
    Error::new("publish", kind, text)
}
