use std::sync::Arc;

use larder_layer::Held;
use larder_store::{Timestamp, Version};

use crate::CacheKey;
use crate::cache::{Inner, Reading};
use crate::envelope::TagMarks;
use crate::far::Stored;
use crate::lifetime::{Lifetime, State, Times};

/// A near copy of an entry.
pub(crate) struct Kept<V> {
    /// None if the source has no value.
    pub(crate) value: Option<Arc<V>>,
    pub(crate) times: Times,
    pub(crate) tags: TagMarks,
    /// The version of the far entry, if there is one.
    pub(crate) version: Option<Version>,
    /// When the copy ends, even if the entry lives on.
    pub(crate) near_until: Timestamp,
    /// After a failed load, nobody tries again before this.
    pub(crate) retry_at: Timestamp,
    /// The number of loads that failed in a row, at most 255.
    pub(crate) failures: u8,
    /// The copy is served stale until `retry_at`, because a load failed.
    pub(crate) is_stale: bool,
}

/// Why a key is not loaded again for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setback {
    /// A load failed.
    Load,
    /// A refresh failed.
    Refresh,
    /// A refresh loaded a value that is not kept.
    Unkept,
}

/// The result of a look at the near tier.
pub(crate) enum Near<V> {
    /// Serve it.
    Hit(Kept<V>),
    /// Serve it, and begin a refresh.
    RefreshDue(Kept<V>),
    Miss,
}

impl<V> Kept<V> {
    pub(crate) fn new(
        value: Option<Arc<V>>,
        times: Times,
        tags: TagMarks,
        version: Option<Version>,
        near_until: Timestamp,
    ) -> Self {
        Self {
            value,
            times,
            tags,
            version,
            near_until,
            retry_at: Timestamp::from_micros(i64::MIN),
            failures: 0,
            is_stale: false,
        }
    }

    /// Makes a copy without a value, which has ended and is older than any other.
    fn empty() -> Self {
        let past = Timestamp::from_micros(i64::MIN);
        Self::new(None, Times::ENDED, TagMarks::default(), None, past)
    }

    pub(crate) fn from_stored(stored: &Stored<V>, near_until: Timestamp) -> Self {
        Self::new(
            stored.value.clone(),
            stored.times,
            stored.tags.clone(),
            Some(stored.version),
            near_until,
        )
    }

    /// Returns the first moment at which a reader has to decide anything.
    pub(crate) fn decide_at(&self, lifetime: &Lifetime) -> Timestamp {
        if self.is_stale {
            return self
                .retry_at
                .min(self.times.stale_until)
                .min(self.near_until);
        }
        lifetime.decide_at(&self.times, self.near_until, self.retry_at)
    }

    /// Wraps the copy for the near tier.
    pub(crate) fn hold(self, lifetime: &Lifetime) -> Held<Self> {
        Held {
            deadline: self.decide_at(lifetime),
            value: self,
        }
    }

    /// Ends its freshness. After that it is only for a load that fails.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.times.expire(now);
        self.near_until = self.near_until.min(now);
        self.is_stale = false;
    }

    /// Returns whether it may be served though a load of it failed or is slow.
    pub(crate) fn is_fallback(&self, now: Timestamp) -> bool {
        self.value.is_some()
            && self.times.stale_until > self.times.fresh_until
            && now < self.times.stale_until
    }
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            times: self.times,
            tags: self.tags.clone(),
            version: self.version,
            near_until: self.near_until,
            retry_at: self.retry_at,
            failures: self.failures,
            is_stale: self.is_stale,
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Looks near. A usual hit takes one comparison of a deadline, and allocates nothing.
    pub(crate) fn look_near(self: &Arc<Self>, key: &K) -> Near<V> {
        let Some(held) = self.near.get(key) else {
            return Near::Miss;
        };
        if self.clock.is_before(held.deadline) && self.keeps_near {
            return Near::Hit(held.value);
        }
        self.decide(key, held.value)
    }

    /// Does the same for a caller that has just missed.
    pub(crate) fn peek_near(self: &Arc<Self>, key: &K) -> Option<Kept<V>> {
        let held = self.near.peek(key)?;
        if self.clock.is_before(held.deadline) && self.keeps_near {
            return Some(held.value);
        }
        match self.decide(key, held.value) {
            Near::Hit(kept) | Near::RefreshDue(kept) => Some(kept),
            Near::Miss => None,
        }
    }

    #[cold]
    fn decide(self: &Arc<Self>, key: &K, kept: Kept<V>) -> Near<V> {
        let now = self.clock.now();
        // After the pause another load is tried, whether the value itself has ended or only its copy.
        let is_paused_no_more = kept.is_stale && now >= kept.retry_at;
        if now >= kept.near_until || is_paused_no_more || !self.keeps_near {
            return Near::Miss;
        }
        if matches!(kept.times.state(now), State::Stale | State::Ended) {
            return Near::Miss;
        }
        let is_due = self.is_due(&kept.times, now);
        self.prolong(key, &kept, now);
        match is_due && kept.retry_at <= now {
            true => Near::RefreshDue(kept),
            false => Near::Hit(kept),
        }
    }

    /// Returns the near copy of `key` if it may be served though a load failed or is slow.
    pub(crate) fn fallback(&self, key: &K) -> Option<Kept<V>> {
        let kept = self.near.peek(key)?.value;
        let now = self.clock.now();
        (kept.is_fallback(now) && self.has_fallback()).then_some(kept)
    }

    /// Returns whether a load of this very entry has failed, so that nobody tries again yet.
    pub(crate) fn is_paused(&self, key: &K, entry: &Kept<V>) -> bool {
        let now = self.clock.now();
        self.near.peek(key).is_some_and(|held| {
            let kept = held.value;
            kept.is_stale && now < kept.retry_at && kept.version == entry.version
        })
    }

    /// Returns whether a refresh of the key had a [`Setback`], so that nobody tries again yet.
    pub(crate) fn is_resting(&self, key: &K) -> bool {
        let now = self.clock.now();
        let held = self.near.peek(key);
        held.is_some_and(|held| now < held.value.retry_at)
    }

    /// Returns whether anything may ever be served stale.
    pub(crate) fn has_fallback(&self) -> bool {
        self.lifetime.stale_if_error.is_some()
    }

    /// Notes a setback of a load of `key`, so that nobody tries again for a while.
    ///
    /// The pause doubles with each one in a row. Without a copy there is nothing to serve, and
    /// the next call loads. After a refresh the far store may have the value to serve, though the copy has
    /// ended, or there is none without a near tier: then only the pause is kept.
    pub(crate) fn back_off(&self, key: &K, setback: Setback) {
        let now = self.clock.now();
        let is_far = setback != Setback::Load && self.far.is_some();
        self.near.update(key, |held| {
            let mut kept = match held {
                Some(held) => held.value,
                None if is_far && !self.keeps_near => Kept::empty(),
                None => return None,
            };
            let is_fresh = now < kept.times.fresh_until && now < kept.near_until;
            let has_failed = setback != Setback::Unkept;
            let is_left = has_failed && kept.is_fallback(now) && self.has_fallback();
            if !is_fresh && !is_left && !is_far {
                return None;
            }
            kept.retry_at = now.plus_micros(self.pause_after(kept.failures));
            kept.failures = kept.failures.saturating_add(1);
            kept.is_stale = !is_fresh && is_left;
            if kept.is_stale {
                // The copy stays in use for at most the near TTL, and then the far store is read
                // again.
                kept.near_until = self.lifetime.near_until(now, 0.0);
            }
            Some(kept.hold(&self.lifetime))
        });
    }

    /// Returns the pause after `failures` failed loads in a row, in microseconds.
    fn pause_after(&self, failures: u8) -> i64 {
        let doubled = self.retry_after.saturating_mul(1 << failures.min(20));
        let pause = doubled.min(self.max_retry_after).as_micros();
        let pause = i64::try_from(pause).unwrap_or(i64::MAX).max(1);
        // Up to a quarter shorter, so that processes do not try together.
        pause - (pause as f64 * 0.25 * rand::random::<f64>()) as i64
    }

    /// Keeps the copy of an entry only as a fallback, unless its key was changed since it was read.
    pub(crate) fn keep_fallback(&self, key: &K, stored: &Stored<V>, reading: &Reading) {
        if !self.has_fallback() {
            return;
        }
        let past = Timestamp::from_micros(i64::MIN);
        // An entry that was expired again has another version, which is the one to remember.
        let is_newer = |held: &Held<Kept<V>>| {
            let (kept, loaded_at) = (&held.value, stored.times.loaded_at);
            kept.times.loaded_at > loaded_at
                || (kept.times.loaded_at == loaded_at && kept.version == Some(stored.version))
        };
        if self.near.peek(key).as_ref().is_some_and(is_newer) {
            return;
        }
        self.keep_if_unchanged(key, &reading.for_fallback(), || {
            self.near
                .update_unless_removed(key, reading.generation, |held| {
                    let kept = Kept::from_stored(stored, past);
                    (!held.as_ref().is_some_and(is_newer)).then_some(Held {
                        value: kept,
                        deadline: past,
                    })
                })
        });
        self.fallback_kept.notify_waiters();
    }

    /// Drops an ended near copy whose value the far store no longer has. A read of the key that has already
    /// begun does not put it back.
    pub(crate) fn drop_fallback(&self, key: &K) {
        let now = self.clock.now();
        self.near.remove_if(key, |held| {
            let kept = &held.value;
            now >= kept.near_until || now >= kept.times.fresh_until
        });
    }
}
