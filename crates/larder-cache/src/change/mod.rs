mod distinct;
mod failed;
mod insert;

use std::slice;
use std::sync::Arc;

use larder_store::lease::{Claimed, Leases};
use larder_store::{Key, Put, Result, Version};

use crate::cache::Inner;
use crate::far::{Far, Read, Stored};
use crate::invalidation::Invalidation;
use crate::remote::Change;
use crate::{Cache, CacheKey};
use distinct::Distinct;
use failed::{LEFT_BESIDE, LOCKED, UNTRIED};

/// How many keys are expired at once. It takes several round trips, and other changes wait for the locks of
/// the keys meanwhile.
const KEYS_AT_ONCE: usize = 64;

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Removes the value of `key`, far and then near. It is no longer served, not even if a load
    /// fails.
    ///
    /// It takes one round trip if there is a far store, and one more to tell other processes. Once
    /// it has returned, no load that began before, in any process, is stored in the far store, and
    /// no later caller waits for such a load. Other processes drop their near copies when the
    /// message arrives; if it is lost, the copies stay for at most their near TTL.
    ///
    /// Changes of one key wait for each other, and rarely for those of another key, for at most the
    /// store timeout.
    ///
    /// # Errors
    /// Those of the far store and of its bus;
    /// [`ErrorKind::NotSent`](larder_store::ErrorKind::NotSent) if earlier changes take too long. The
    /// near copy is gone even then, and this process does not read the far value. It goes on trying
    /// to remove it until it succeeds or the process ends, for up to 10,000 keys at a time. Without a far
    /// store there is no error.
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
    /// Those of [`remove`](Self::remove) for each.
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove) for each.
    pub async fn remove_many(&self, keys: &[K]) -> Vec<Result<()>> {
        self.change_many(keys, Change::Removed).await
    }

    /// Ends the freshness of the value of `key`: the next caller loads.
    ///
    /// The value is then served only if that load fails or is slow, within
    /// [`with_stale_if_error`](crate::CacheBuilder::with_stale_if_error). Without that setting it
    /// does the same as [`remove`](Self::remove). With it, it takes three round trips, and one more
    /// to tell other processes. If another process loads the value meanwhile, the far store keeps
    /// nothing of it.
    ///
    /// # Errors
    /// Those of [`remove`](Self::remove). What is then tried again is a removal, so that nothing is
    /// left to serve if a load fails.
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove).
    pub async fn expire(&self, key: &K) -> Result<()> {
        self.change_one(key, Change::Expired).await
    }

    /// Ends the freshness of the values of many keys, with a result for each.
    ///
    /// With [`with_stale_if_error`](crate::CacheBuilder::with_stale_if_error) it takes the round trips of
    /// [`expire`](Self::expire) for each 64 keys, one part after the other. Without that setting it does the
    /// same as [`remove_many`](Self::remove_many).
    ///
    /// # Errors
    /// Those of [`remove`](Self::remove) for each.
    ///
    /// # Cancellation
    /// As [`remove`](Self::remove) for each.
    pub async fn expire_many(&self, keys: &[K]) -> Vec<Result<()>> {
        self.change_many(keys, Change::Expired).await
    }

    async fn change_one(&self, key: &K, change: Change) -> Result<()> {
        let mut results = self.change(slice::from_ref(key), change).await;
        results.pop().unwrap_or(Ok(()))
    }

    async fn change_many(&self, keys: &[K], change: Change) -> Vec<Result<()>> {
        // A second change of a key would find what the first one has left.
        let distinct = Distinct::of(keys);
        let results = self.change(distinct.keys(), change).await;
        distinct.spread(results)
    }

    /// Changes some keys, each of which is given once.
    async fn change(&self, keys: &[K], change: Change) -> Vec<Result<()>> {
        let inner = &self.inner;
        inner.listen();
        let turn = inner.pending.turn();
        let mut invalidations: Vec<_> = keys
            .iter()
            .map(|key| Invalidation::begin(&**inner, key, change))
            .collect();
        let Some(far) = &inner.far else {
            return keys.iter().map(|_| Ok(())).collect();
        };
        let expires = change == Change::Expired && inner.has_fallback();
        let at_once = match expires {
            true => KEYS_AT_ONCE,
            false => keys.len().max(1),
        };
        let mut results = Vec::with_capacity(keys.len());
        // Do not wait again for a store that has just failed. One slow change of another call, which holds the
        // locks of some keys, does not mean that it has, but two in a row do.
        let (mut signs_of_failure, mut untold) = (0, None);
        for keys in keys.chunks(at_once) {
            let begun = invalidations.drain(..keys.len()).collect();
            let changed = inner.change_far(far, keys, begun, expires, turn).await;
            signs_of_failure = match &changed {
                Err(_) => signs_of_failure + 1,
                Ok(changed) if changed.iter().all(Result::is_err) => 2,
                Ok(_) => 0,
            };
            let (Ok(mut changed) | Err(mut changed)) = changed;
            // The call may be dropped before the next part.
            untold = inner.tell(change, keys, &mut changed, untold).await;
            results.extend(changed);
            if signs_of_failure >= 2 {
                break;
            }
        }
        let left = &keys[results.len()..];
        if let Some(Err(error)) = results.last().filter(|_| !left.is_empty()) {
            let why = (error.operation(), error.kind());
            results.extend(inner.not_changed(left, why, UNTRIED));
        }
        drop(invalidations);
        results
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Changes the far values of some keys under their locks, and then ends the invalidations.
    ///
    /// Returns an error for each if the locks were not free in time. The keys are then quarantined.
    async fn change_far(
        self: &Arc<Self>,
        far: &Far<V>,
        keys: &[K],
        begun: Vec<Invalidation<'_, K, V>>,
        expires: bool,
        turn: u64,
    ) -> Result<Vec<Result<()>>, Vec<Result<()>>> {
        let far_keys: Vec<_> = keys.iter().map(|key| far.key(key)).collect();
        // Held until the invalidations end, so that no load that began earlier is written
        // afterwards.
        let locks = match far
            .locks
            .for_changes(far.timeout, "delete", &far_keys)
            .await
        {
            Ok(locks) => locks,
            Err(error) => return Err(self.not_changed(keys, ("delete", error.kind()), LOCKED)),
        };
        let results = match expires {
            true => self.expire_far(far, keys, &far_keys, turn).await,
            false => self.invalidate_far(keys, turn).await,
        };
        drop((begun, locks));
        Ok(results)
    }

    /// Ends the freshness of far entries, and keeps what may be served if a load fails.
    async fn expire_far(
        self: &Arc<Self>,
        far: &Far<V>,
        keys: &[K],
        far_keys: &[Key],
        turn: u64,
    ) -> Vec<Result<()>> {
        // A value that a failed removal left there is quarantined: this call removes it in full.
        let removed = keys.iter().filter(|key| self.pending.contains(key));
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
        let expired = keys.iter().zip(&kept).filter(|(_, is_kept)| **is_kept);
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).collect();
        let mut expired = match far.remove_beside(&expired).await {
            Ok(()) => expired.iter().map(|_| Ok(())).collect(),
            Err(error) => {
                self.not_changed(&expired, (error.operation(), error.kind()), LEFT_BESIDE)
            }
        }
        .into_iter();
        let mut results = match left.is_empty() {
            true => Vec::new(),
            false => self.invalidate_far(&left, turn).await,
        }
        .into_iter();
        if !removed.is_empty() {
            // On an error the key is quarantined, and the removal is announced when it is replayed.
            let _ = self.publish_or_quarantine(Change::Removed, removed).await;
        }
        kept.into_iter()
            .map(|is_kept| match is_kept {
                true => expired.next().unwrap_or(Ok(())),
                false => results.next().unwrap_or(Ok(())),
            })
            .collect()
    }

    /// Replaces an entry by one that is served only if a load fails, if it is still the same.
    ///
    /// Returns false if it is not, or if another process loads it: then remove the entry. So an
    /// entry that was removed since it was read is not put back.
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

/// Writes under a lease of its own. Returns false if the key has a new value or another leader by
/// now, or was invalidated meanwhile.
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
