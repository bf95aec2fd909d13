use std::sync::Arc;

use larder_layer::Generation;
use larder_layer::tags::Tag;
use larder_store::{Timestamp, Ttl, Version};

use super::LoadTask;
use crate::cache::Reading;
use crate::election::{Answer, Lead, Write};
use crate::envelope::TagMarks;
use crate::found::Keep;
use crate::kept::{Kept, Setback};
use crate::lifetime::Times;
use crate::remote::Change;
use crate::tags::Noted;
use crate::{CacheKey, Loaded};

/// Whether a value was still current at the end of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Currency {
    /// The lease was still held when the far store checked it.
    Checked,
    /// Unknown: the value was not written under a lease, or the answer was lost.
    Unchecked,
    /// The key was invalidated since the load began, here or in another process.
    Overtaken,
}

/// The outcome of a far write.
enum Written {
    Yes(Version),
    /// The write was left out, or failed.
    No,
    /// The key was invalidated since the load began.
    Overtaken,
}

impl<K: CacheKey, V: Send + Sync + 'static> LoadTask<K, V> {
    /// Keeps the loaded value, and completes the flight.
    pub(super) async fn keep(self, loaded: Loaded<V>, lead: &Lead<V>, step: u64, began: Timestamp) {
        let (inner, now) = (self.inner.clone(), self.inner.clock.now());
        let took = now.since(began);
        let keep = loaded.keep;
        let (value, tags) = loaded.into_parts();
        let tags = inner.with_own_tag(tags);
        match value {
            Some(_) => inner.metrics.loaded(took),
            None => inner.metrics.absent.increment(1),
        }
        let answer = Answer {
            value: value.clone(),
            loaded_at: began,
            load: Some(step),
            before: None,
        };
        let check = inner.begin_step();
        if value.is_none() && lead.write == Write::Not {
            inner.remove_later(&self.key);
        }
        let Some(ttl) = self.ttl(keep, value.is_some()) else {
            let currency = self.keep_nothing(&value, lead).await;
            // The tags of a value that is not stored have not been checked.
            let currency = match !tags.is_empty() && (inner.is_promised() || self.is_swept()) {
                true => Currency::Overtaken,
                false => currency,
            };
            let before = self.joinable_before(currency, !tags.is_empty(), step, check);
            return self.complete(Answer { before, ..answer });
        };
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let mut times = inner.lifetime.times(began, micros, ttl, rand::random());
        if value.is_none() {
            times.stale_until = times.fresh_until;
        }
        let was_there = value.is_none() && self.had_value();
        let currency = self.store(value, times, &tags, lead).await;
        if was_there && currency != Currency::Overtaken {
            // If this fails, near copies in other processes last until their near TTL.
            let _ = inner.publish(Change::Removed, [&self.key]).await;
        }
        let before = self.joinable_before(currency, !tags.is_empty(), step, check);
        self.complete(Answer { before, ..answer });
    }

    /// Returns the step before which a call must have begun to take the answer of a load.
    ///
    /// Callers who find nothing near are promised every invalidation that was acknowledged before
    /// their call. There may have been one since the value was last known to be current: since the
    /// check of its fence began, or the load. A tag may change between its check and the end of the
    /// flight.
    fn joinable_before(
        &self,
        currency: Currency,
        has_tags: bool,
        load: u64,
        check: u64,
    ) -> Option<u64> {
        let inner = &self.inner;
        let is_promised = inner.is_promised();
        match currency {
            Currency::Overtaken => Some(load),
            Currency::Unchecked if is_promised => Some(load),
            Currency::Unchecked | Currency::Checked => (is_promised || has_tags).then_some(check),
        }
    }

    fn ttl(&self, keep: Keep, is_value: bool) -> Option<Ttl> {
        match keep {
            Keep::Usual if is_value => Some(self.inner.lifetime.ttl),
            Keep::Usual => self.inner.lifetime.negative,
            Keep::For(ttl) => Some(ttl),
            Keep::Not => None,
        }
    }

    /// Keeps the value far, then near, unless the key was invalidated since the load began.
    async fn store(
        &self,
        value: Option<Arc<V>>,
        times: Times,
        tags: &[Tag],
        lead: &Lead<V>,
    ) -> Currency {
        let inner = &*self.inner;
        let now = inner.clock.now();
        let noted = inner.note_tags(tags, lead, times.loaded_at, &times).await;
        let (tags, written) = match noted {
            Noted::Carried(tags) => {
                let written = self.write(value.as_deref(), times, &tags, lead).await;
                (tags, written)
            }
            Noted::Near(tags) => (tags, self.not_written(value.as_deref(), lead).await),
            Noted::Outdated => {
                inner.metrics.outdated.increment(1);
                self.rest();
                self.give_back(lead).await;
                return Currency::Overtaken;
            }
        };
        let version = match written {
            Written::Yes(version) => Some(version),
            Written::No => None,
            Written::Overtaken => {
                inner.metrics.overtaken.increment(1);
                inner.metrics.outdated.increment(1);
                return Currency::Overtaken;
            }
        };
        let is_checked = version.is_some() && matches!(lead.write, Write::Fenced(_));
        // An invalidation elsewhere may have happened right after the moment at which the value was
        // last known to be good.
        let good_at = match inner.far.is_some() && !is_checked {
            true => times.loaded_at,
            false => now,
        };
        let near_until = inner.lifetime.near_until(good_at, rand::random());
        let kept = Kept::new(value, times, tags, version, near_until);
        let has_tags = !kept.tags.as_slice().is_empty();
        self.keep_near(kept, lead.reading.as_ref(), self.before);
        // A tag that changed in the meantime, here or elsewhere, may be one of these.
        if has_tags && self.is_swept() {
            return Currency::Overtaken;
        }
        match is_checked {
            true => Currency::Checked,
            false => Currency::Unchecked,
        }
    }

    /// Writes the value far, unless the key was changed since the flight began.
    ///
    /// The value is good without it, so an error is only counted and logged.
    async fn write(
        &self,
        value: Option<&V>,
        times: Times,
        tags: &TagMarks,
        lead: &Lead<V>,
    ) -> Written {
        let inner = &*self.inner;
        let Some(far) = inner.far.as_ref().filter(|_| lead.write != Write::Not) else {
            return Written::No;
        };
        let far_key = far.key(&self.key);
        let now = inner.clock.now();
        let written = async {
            let put = far.seal(far_key.clone(), value, now, times, tags.clone())?;
            let written = Written::Yes(put.version());
            match (lead.write, &far.leases) {
                // An invalidation here ends the lease at the latest when it reaches the store.
                (Write::Fenced(_), _) if self.leader.is_invalidated() => Ok(Written::No),
                (Write::Fenced(fence), Some(leases)) => {
                    Ok(match far.commit(&**leases, &put, fence).await? {
                        true => written,
                        false => Written::Overtaken,
                    })
                }
                _ => {
                    let _lock = far.locks.for_load(far.timeout, put.key()).await?;
                    if self.leader.is_invalidated() {
                        return Ok(Written::No);
                    }
                    far.write(&put).await.map(|_| written)
                }
            }
            .inspect(|_| inner.metrics.written(put.value().len()))
        }
        .await;
        match written {
            Ok(written @ (Written::Yes(_) | Written::Overtaken)) => written,
            Ok(Written::No) => {
                self.give_back(lead).await;
                Written::No
            }
            Err(error) => {
                inner.metrics.far_write_failed(&error);
                far.log_failed_write(&error);
                self.not_written(value, lead).await
            }
        }
    }

    /// Ends the lease of a value that cannot be written far.
    async fn not_written(&self, value: Option<&V>, lead: &Lead<V>) -> Written {
        if value.is_none() {
            self.inner.remove_later(&self.key);
        }
        // A lease that is no longer held was committed or invalidated: it is unknown which, so late
        // callers read again.
        match self.give_back(lead).await {
            Currency::Overtaken => Written::Overtaken,
            Currency::Checked | Currency::Unchecked => Written::No,
        }
    }

    /// Returns whether a tag has changed since the flight began.
    fn is_swept(&self) -> bool {
        let now = self.inner.near.generation(&self.key);
        now.is_swept_since(self.before)
    }

    /// Returns whether there was, or may have been, a value before the load, near or far.
    fn had_value(&self) -> bool {
        let near = self.inner.near.peek(&self.key);
        // A refresh does not read the far entry again that it replaces: only a near copy of it tells that it has no value.
        let far_is_unknown = self.plan.is_refresh;
        self.context.has_previous()
            || near.map_or(far_is_unknown, |held| {
                held.value.value.is_some() || far_is_unknown && held.value.version.is_none()
            })
    }

    /// Ends the lease, and removes the cached value if the source no longer has one.
    async fn keep_nothing(&self, value: &Option<Arc<V>>, lead: &Lead<V>) -> Currency {
        if value.is_some() {
            self.rest();
            return self.give_back(lead).await;
        }
        let inner = &*self.inner;
        // The near copy of a refreshed value may have been evicted in the meantime.
        let was_cached =
            self.plan.is_refresh || lead.previous.is_some() || inner.near.peek(&self.key).is_some();
        self.leader.if_current(|| inner.near.invalidate(&self.key));
        match inner.far.as_ref().filter(|_| lead.write != Write::Not) {
            Some(far) if was_cached => {
                let currency = self.give_back(lead).await;
                let removed = far.remove_many([&self.key]).await;
                if removed.iter().any(Result::is_err) {
                    self.inner.quarantine([self.key.clone()]);
                }
                // A read that began before the removal may have put a copy back.
                self.leader.if_current(|| inner.near.invalidate(&self.key));
                // If this fails, near copies in other processes last until their near TTL.
                let _ = inner.publish(Change::Removed, [&self.key]).await;
                currency
            }
            _ => self.give_back(lead).await,
        }
    }

    /// Gives the lease back, if there is one.
    pub(super) async fn give_back(&self, lead: &Lead<V>) -> Currency {
        let inner = &*self.inner;
        let (Write::Fenced(fence), Some(far)) = (lead.write, &inner.far) else {
            return Currency::Unchecked;
        };
        let Some(leases) = &far.leases else {
            return Currency::Unchecked;
        };
        match far.abandon(&**leases, &far.key(&self.key), fence).await {
            Ok(true) => Currency::Checked,
            Ok(false) => Currency::Overtaken,
            Err(_) => {
                inner.metrics.far_lease_errors.increment(1);
                Currency::Unchecked
            }
        }
    }

    /// Pauses after a refresh whose value is not kept: the cached one is still due, and each read
    /// would refresh it again.
    fn rest(&self) {
        if self.plan.is_refresh {
            self.pause(Setback::Unkept);
        }
    }

    /// Keeps a near copy, unless the key was changed since the flight began.
    ///
    /// With tags, no tag may have changed since `before` either.
    pub(super) fn keep_near(&self, kept: Kept<V>, reading: Option<&Reading>, before: Generation) {
        let inner = &self.inner;
        if !inner.keeps_near {
            if kept.version.is_none() && self.plan.is_refresh {
                return self.rest();
            }
            // An older value that was kept for loads that fail, or the pause after one.
            if inner.near.peek(&self.key).is_some() {
                self.leader
                    .if_current(|| inner.near.remove_if(&self.key, |_| true));
            }
            return;
        }
        if !self.plan.uses_near {
            return;
        }
        let decide_at = kept.decide_at(&inner.lifetime);
        let has_tags = !kept.tags.as_slice().is_empty();
        let keep = || {
            let key = self.key.clone();
            if has_tags {
                return inner.near.insert_if_unchanged(key, kept, decide_at, before);
            }
            inner.near.insert(key, kept, decide_at);
            true
        };
        let kept = self.leader.if_current(|| match reading {
            Some(reading) => inner.keep_if_unchanged(&self.key, reading, keep),
            None => keep(),
        });
        if kept.is_none() {
            inner.metrics.outdated.increment(1);
        }
    }
}
