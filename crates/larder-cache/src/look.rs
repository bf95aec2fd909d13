use std::sync::Arc;

use larder_layer::Held;
use larder_store::{Key, Result, Timestamp};

use crate::cache::{Inner, Look, Reading};
use crate::far::{Far, Read, Stored};
use crate::kept::Kept;
use crate::lifetime::{State, Times};
use crate::{CacheKey, Found, Source};

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Reads far, and keeps a copy near unless the key was changed since.
    pub(crate) async fn look_far(self: &Arc<Self>, key: &K, keeps_near: bool) -> Look<V> {
        let Some(far) = self.usable_far(key) else {
            return self.not_looked(key);
        };
        let far_key = far.key(key);
        let reading = self.begin_read(key, &far_key);
        let Ok(read) = self.read_far(far, &far_key).await else {
            return self.not_looked(key);
        };
        self.looked(key, read, &reading, keeps_near)
    }

    /// Handles that the far store was not read, and returns [`Look::NoFar`].
    ///
    /// Without a near tier, what was kept for loads that fail is dropped: it may have been removed
    /// by another process, which nobody would notice.
    pub(crate) fn not_looked(&self, key: &K) -> Look<V> {
        if self.is_promised() {
            self.drop_fallback(key);
        }
        Look::NoFar
    }

    /// Evaluates a read of `key`, and keeps a near copy.
    pub(crate) fn looked(
        self: &Arc<Self>,
        key: &K,
        read: Read<V>,
        reading: &Reading,
        keeps_near: bool,
    ) -> Look<V> {
        let Read::Stored(stored) = read else {
            self.drop_fallback(key);
            return Look::Absent;
        };
        let now = self.clock.now();
        if stored.times.state(now) == State::Stale {
            self.keep_fallback(key, &stored, reading);
            return Look::Stale(Kept::from_stored(&stored, now));
        }
        if keeps_near && self.keeps_near {
            self.keep_read(key, &stored, reading);
        }
        self.prolong_far(key, stored.times, now);
        match stored.value {
            Some(_) => self.metrics.far_hits.increment(),
            None => self.metrics.not_found.increment(1),
        }
        let kept = Kept::from_stored(&stored, now);
        // With a near tier, the reads of the copy decide about a refresh.
        if self.is_promised() && self.is_due(&kept.times, now) && !self.is_resting(key) {
            return Look::RefreshDue(kept);
        }
        Look::Fresh(kept.value.is_some().then_some(kept))
    }

    /// Returns whether a reader of a fresh entry refreshes it. It draws, so ask once for each read.
    pub(crate) fn is_due(&self, times: &Times, now: Timestamp) -> bool {
        times.state(now) == State::RefreshDue
            || self.lifetime.is_refreshed_early(times, now, rand::random())
    }

    /// Keeps a near copy of a far read, unless the key was invalidated since, or a fresher copy is
    /// near.
    pub(crate) fn keep_read(&self, key: &K, stored: &Stored<V>, reading: &Reading) {
        if self.has_fresher(key, stored.times.loaded_at) {
            return;
        }
        let held = self.copy_of(key, stored, reading).hold(&self.lifetime);
        self.keep_if_unchanged(key, reading, || {
            self.near
                .update_if_unchanged(key, reading.generation, |before| {
                    let is_fresher = |before: &Held<Kept<V>>| {
                        self.is_fresher(&before.value, stored.times.loaded_at)
                    };
                    (!before.as_ref().is_some_and(is_fresher)).then_some(held)
                })
        });
    }

    /// Returns the near copy of a far entry, which ends at most the near TTL after its read began.
    ///
    /// The pause after a refresh that failed goes on, if the copy before it was of the same entry.
    pub(crate) fn copy_of(&self, key: &K, stored: &Stored<V>, reading: &Reading) -> Kept<V> {
        let began = reading.began;
        let mut near_until = self.lifetime.near_until(began, rand::random());
        if !stored.tags.as_slice().is_empty() {
            // What is known about its tags may be older, by the other half at most.
            let micros = near_until.as_micros().saturating_sub(began.as_micros());
            near_until = began.plus_micros(micros / 2);
        }
        let mut kept = Kept::from_stored(stored, near_until);
        if let Some(before) = self.near.peek(key).map(|held| held.value)
            && before.version == kept.version
        {
            (kept.retry_at, kept.failures) = (before.retry_at, before.failures);
        }
        kept
    }

    /// Reads far, and counts and logs an error.
    pub(crate) async fn read_far(&self, far: &Far<V>, key: &Key) -> Result<Read<V>> {
        let read = far.read(key, self.clock.now()).await;
        if let Err(error) = &read {
            self.metrics.far_get_errors.increment(1);
            tracing::debug!(kind = self.kind.name(), %error, "the far store did not answer: a miss");
        }
        read
    }

    /// Returns a value that is no longer fresh, and counts it.
    pub(crate) fn found_stale(&self, kept: Kept<V>) -> Option<Found<V>> {
        self.metrics.stale.increment();
        self.found(kept, Source::Stale)
    }

    /// Returns None if the copy records that the source has no value.
    pub(crate) fn found(&self, kept: Kept<V>, source: Source) -> Option<Found<V>> {
        let age = self.clock.now().since(kept.times.loaded_at);
        Some(Found::new(kept.value?, source, age))
    }
}
