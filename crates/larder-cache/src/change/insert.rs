use std::slice;
use std::sync::Arc;

use larder_layer::tags::Tag;
use larder_store::lease::{Claimed, Leases};
use larder_store::{Error, ErrorKind, Put, Result, Version};

use super::commit_new;
use crate::cache::Inner;
use crate::far::Far;
use crate::invalidation::Invalidation;
use crate::kept::Kept;
use crate::remote::Change;
use crate::tags::near_marks;
use crate::{Cache, CacheKey};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Stores `value` for the cache's TTL, far and then near.
    ///
    /// With a far store that has leases and a bus it takes three round trips: for the lease, the write
    /// and the message to other processes. It takes one more if the store has a value that this process
    /// does not know, and two more if the key is being loaded, to end that load first. A load that
    /// began before, in any process, does not replace the value. If the key is invalidated or loaded
    /// again in the meantime, that takes precedence, and the value is not kept.
    ///
    /// # Errors
    /// Those of the far store; [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid), naming the
    /// codecs that can, if the codec cannot read the value back;
    /// [`ErrorKind::TooLarge`](larder_store::ErrorKind::TooLarge). The value is kept near even then.
    /// This process does not read an older far value that could not be removed, and goes on trying to
    /// remove it. Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call may or may not have stored the value; an older near copy is gone. It may leave a
    /// lease that no call holds, so that loads of the key wait until the lease has ended.
    pub async fn insert(&self, key: K, value: impl Into<Arc<V>>) -> Result<()> {
        self.insert_with(key, value.into(), Vec::new()).await
    }

    /// Does the same as [`insert`](Self::insert), and gives the value tags.
    ///
    /// [`Loaded::with_tags`](crate::Loaded::with_tags) has the rules for tags. It takes one more round
    /// trip.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert); [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if
    /// there are too many tags; [`ErrorKind::NotSent`](larder_store::ErrorKind::NotSent) if one of them is
    /// being removed.
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
        let tags = inner.checked_tags("insert", tags)?;
        inner.listening().await;
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
        let seen = inner.near.peek(&key).and_then(|held| held.value.version);
        let invalidation = Invalidation::begin(inner, &key, Change::Removed);
        let sealed = async {
            let marks = inner.note_inserted(far, &tags, &times).await?;
            let marks = marks.ok_or_else(changing)?;
            far.seal(far_key.clone(), Some(&value), now, times, marks)
        }
        .await;
        // Held until the value is near too, so that two inserts end in the same order in both tiers.
        let locked = far.locks.for_change(far.timeout, "put", &far_key).await;
        let (lock, stored) = match locked {
            Ok(lock) => {
                let stored = inner.store_far(far, &key, sealed, seen, turn).await;
                (Some(lock), stored)
            }
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
                    // A tag that has changed since may be one of these.
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
        // Done even if the new value is not in the far store: the older one is gone, or is being removed.
        let keys = slice::from_ref(&key);
        let told = inner.publish_or_quarantine(Change::Removed, keys).await;
        stored.and(told)
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Writes an inserted value far. None if a later change or load of the key is under way.
    async fn store_far(
        self: &Arc<Self>,
        far: &Far<V>,
        key: &K,
        sealed: Result<Put>,
        seen: Option<Version>,
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
                // Do not wait for a store that has just failed.
                self.quarantine([key.clone()]);
                return Err(error);
            }
            self.invalidate_other_schemas(slice::from_ref(key)).await?;
            self.pending.settle(key, turn);
            self.metrics.written(put.value().len());
            return Ok(Some(put.version()));
        };
        if let Ok(put) = &sealed
            && far.other_schemas.is_empty()
        {
            match replace(far, leases, put, seen).await {
                Ok(Replaced::Yes) => {
                    self.pending.settle(key, turn);
                    self.metrics.written(put.value().len());
                    return Ok(Some(put.version()));
                }
                // The faster writer wins. The older value must not outlive this one either way.
                Ok(Replaced::Overtaken) => {
                    let mut removed = self.invalidate_far(slice::from_ref(key), turn).await;
                    return removed.pop().unwrap_or(Ok(())).map(|()| None);
                }
                Ok(Replaced::Led) => {}
                Err(error) => {
                    self.quarantine([key.clone()]);
                    return Err(error);
                }
            }
        }
        // A load that is running, or starts in the meantime, ends without being stored.
        let mut removed = self.invalidate_far(slice::from_ref(key), turn).await;
        removed.pop().unwrap_or(Ok(()))?;
        let put = sealed?;
        self.metrics.written(put.value().len());
        let is_written = commit_new(far, leases, &put, None).await?;
        Ok(is_written.then_some(put.version()))
    }
}

/// The outcome of a write over an existing value.
enum Replaced {
    Yes,
    /// The key was invalidated or led by another caller meanwhile.
    Overtaken,
    /// The key is being loaded.
    Led,
}

/// Writes over an existing value, if nobody leads the key: two round trips if the version of that value
/// is `seen`, or if there is none, and three otherwise.
async fn replace<V: Send + Sync + 'static>(
    far: &Far<V>,
    leases: &dyn Leases,
    put: &Put,
    mut seen: Option<Version>,
) -> Result<Replaced> {
    for _ in 0..2 {
        match far.claim(leases, put.key(), seen).await? {
            Claimed::Lead(fence) => {
                return Ok(match far.commit(leases, put, fence).await? {
                    true => Replaced::Yes,
                    false => Replaced::Overtaken,
                });
            }
            Claimed::Fresh(entry) => seen = Some(entry.version),
            Claimed::Stale | Claimed::Follow => return Ok(Replaced::Led),
        }
    }
    Ok(Replaced::Led)
}

fn changing() -> Error {
    let text = "a tag of the value is being removed: the value is not stored";
    Error::new("insert", ErrorKind::NotSent, text)
}
