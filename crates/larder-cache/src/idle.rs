//! Reads that prolong the life of a value with an idle TTL.

use std::sync::Arc;

use larder_store::{Timestamp, Ttl};
use tokio::runtime::Handle;

use crate::CacheKey;
use crate::cache::Inner;
use crate::kept::Kept;
use crate::lifetime::Times;
use crate::spawn::spawn;

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Records a near read: prolongs the copy, and the far entry in the background.
    ///
    /// A read in the first half of the idle time is not recorded.
    pub(crate) fn prolong(self: &Arc<Self>, key: &K, read: &Kept<V>, now: Timestamp) {
        let Some(idle) = self.lifetime.idle else {
            return;
        };
        let is_recorded = |times: &Times| {
            let may_live_longer = times.fresh_until < times.deadline;
            may_live_longer && self.lifetime.records_from(times) <= now && now < times.fresh_until
        };
        if !is_recorded(&read.times) {
            return;
        }
        let mut prolonged = None;
        self.near.update(key, |held| {
            let mut kept = held?.value;
            if !is_recorded(&kept.times) {
                return None;
            }
            kept.times.prolong(idle, now);
            prolonged = Some(kept.times);
            Some(kept.hold(&self.lifetime))
        });
        if let Some(times) = prolonged {
            self.prolong_far(key, times, now);
        }
    }

    /// Begins to prolong a far entry that was read. One round trip in the background.
    pub(crate) fn prolong_far(self: &Arc<Self>, key: &K, times: Times, now: Timestamp) {
        if self.lifetime.idle.is_none() || self.far.is_none() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (inner, key) = (self.clone(), key.clone());
        let ttl = Ttl::covering_micros(times.micros_left(now));
        spawn(&runtime, async move {
            if let Some(far) = inner.usable_far(&key) {
                // If this fails, the entry ends as if it had not been read.
                let _ = far.expire(&far.key(&key), ttl).await;
            }
        });
    }
}
