use std::sync::Arc;

use larder_layer::tags::Tick;
use larder_store::lease::{Claimed, Fence};
use larder_store::{Error, Timestamp, Version};
use tokio::time::Instant;

use crate::CacheKey;
use crate::cache::{Inner, Reading};
use crate::far::{Far, Read, Stored};
use crate::lifetime::State;

/// The entries of the far store that a flight accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any fresh entry.
    Fresh,
    /// A fresh entry that is not this one, which is due for a refresh.
    Newer(Version),
    /// None: the flight loads in any case.
    Load,
}

/// The result of an election.
pub(crate) enum Elected<V> {
    /// The far store has an entry, read at this step.
    Found(Stored<V>, Reading, u64),
    /// This flight loads.
    Lead(Lead<V>),
    /// Another process loads, and was not done in time.
    TimedOut,
    /// Another process loads, and the caller does not wait for it here.
    Elsewhere,
}

/// A read of the far store that comes before an election.
pub(crate) struct FirstRead<V> {
    pub(crate) read: larder_store::Result<Read<V>>,
    pub(crate) reading: Reading,
    pub(crate) step: u64,
}

/// What a flight of a batch knows of the far store before its election.
pub(crate) enum First<V> {
    Read(FirstRead<V>),
    /// Its caller knows enough.
    Known,
    /// The flight does not use the far store.
    Unused,
}

/// The behaviour of a flight while another process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Follow { until: Instant },
    None { until: Instant },
}

/// The permission to load.
pub(crate) struct Lead<V> {
    pub(crate) write: Write,
    /// The far entry that the load replaces.
    pub(crate) previous: Option<Stored<V>>,
    pub(crate) reading: Option<Reading>,
    /// The start of the load, for its tags.
    pub(crate) tick: Tick,
}

/// How a loaded value is written far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Under a lease: the write is refused if the key was invalidated since.
    Fenced(Fence),
    /// The store has no leases.
    Unfenced,
    /// Not at all: there is no far store, or it failed.
    Not,
}

impl<V> Lead<V> {
    /// With a reading, a value that is loaded nevertheless is not kept near after a message.
    pub(crate) fn without_far(reading: Option<Reading>) -> Self {
        Self {
            write: Write::Not,
            previous: None,
            reading,
            // Its value is not written to any store.
            tick: Tick::default(),
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Finds out whether this flight loads: reads the far store, then claims the lease.
    ///
    /// A far hit takes one round trip, and a flight that leads two. A flight that follows is woken
    /// when the leader is done, and claims again; it never loads before `deadline`. If the far
    /// store fails, every flight loads.
    pub(crate) async fn elect(
        &self,
        far: &Far<V>,
        key: &K,
        wanted: Wanted,
        deadline: Instant,
    ) -> Elected<V> {
        let first = match self.reads_first(far, wanted) {
            true => {
                let far_key = far.key(key);
                let (reading, step) = (self.begin_read(key, &far_key), self.begin_step());
                let read = self.read_far(far, &far_key).await;
                Some(FirstRead {
                    read,
                    reading,
                    step,
                })
            }
            false => None,
        };
        let patience = Patience::Follow { until: deadline };
        self.elect_after(first, far, key, wanted, patience).await
    }

    /// Returns whether an election begins with a read of the far store.
    ///
    /// If nothing is kept near, the caller has just read it itself; and a caller that refreshes knows the
    /// stored value.
    pub(crate) fn reads_first(&self, far: &Far<V>, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Fresh => self.keeps_near || far.leases.is_none(),
            Wanted::Newer(_) => false,
            Wanted::Load => true,
        }
    }

    /// Does the same after a first read, which may be that of a batch.
    pub(crate) async fn elect_after(
        &self,
        first: Option<FirstRead<V>>,
        far: &Far<V>,
        key: &K,
        wanted: Wanted,
        patience: Patience,
    ) -> Elected<V> {
        let far_key = far.key(key);
        let mut seen = match wanted {
            Wanted::Newer(version) => Some(version),
            Wanted::Fresh | Wanted::Load => None,
        };
        let mut previous = None;
        let mut reading = None;
        if let Some(first) = first {
            reading = Some(first.reading);
            let Ok(read) = first.read else {
                // Do not wait for a store that has just failed.
                return Elected::Lead(Lead::without_far(reading));
            };
            match self.judge(key, read, wanted, &first.reading) {
                Judged::Take(stored) => return Elected::Found(stored, first.reading, first.step),
                Judged::Replace(version, stored) => (seen, previous) = (version, stored),
            }
        }
        let Some(leases) = far.leases.as_deref() else {
            return Elected::Lead(Lead {
                write: Write::Unfenced,
                previous,
                reading,
                tick: far.tick(),
            });
        };
        loop {
            let (reading, step) = (self.begin_read(key, &far_key), self.begin_step());
            match far.claim(leases, &far_key, seen).await {
                Ok(Claimed::Lead(fence)) => {
                    self.metrics.leads.increment(1);
                    if seen.is_none() {
                        self.drop_fallback(key);
                    }
                    return Elected::Lead(Lead {
                        write: Write::Fenced(fence),
                        previous,
                        reading: Some(reading),
                        tick: far.tick(),
                    });
                }
                Ok(Claimed::Fresh(entry)) => {
                    let read = match far.open(&far_key, &entry, self.clock.now()).await {
                        Ok(read) => read,
                        Err(error) => return self.without_lease(&error, reading),
                    };
                    match self.judge(key, read, wanted, &reading) {
                        Judged::Take(stored) => return Elected::Found(stored, reading, step),
                        Judged::Replace(version, stored) => (seen, previous) = (version, stored),
                    }
                }
                Ok(claimed @ (Claimed::Stale | Claimed::Follow)) => {
                    self.metrics.follows.increment(1);
                    if matches!(claimed, Claimed::Follow) {
                        // The value is gone.
                        self.drop_fallback(key);
                        (seen, previous) = (None, None);
                    }
                    let Patience::Follow { until } = patience else {
                        return Elected::Elsewhere;
                    };
                    let left = until.saturating_duration_since(Instant::now());
                    match far.follow(leases, &far_key, left).await {
                        Ok(true) => {}
                        Ok(false) => return Elected::TimedOut,
                        Err(error) => return self.without_lease(&error, reading),
                    }
                }
                Err(error) => return self.without_lease(&error, reading),
            }
            let (Patience::Follow { until } | Patience::None { until }) = patience;
            if Instant::now() >= until {
                return Elected::TimedOut;
            }
        }
    }

    fn without_lease(&self, error: &Error, reading: Reading) -> Elected<V> {
        self.metrics.far_lease_errors.increment(1);
        tracing::debug!(kind = self.kind.name(), %error, "no lease: this process loads for itself");
        Elected::Lead(Lead::without_far(Some(reading)))
    }

    /// Decides how a flight uses what it has read. If the far store no longer has the value, the near copy is
    /// dropped, so that it is not served if the load fails.
    fn judge(&self, key: &K, read: Read<V>, wanted: Wanted, reading: &Reading) -> Judged<V> {
        let stored = match read {
            Read::Absent => {
                self.drop_fallback(key);
                return Judged::Replace(None, None);
            }
            Read::Unusable(version) => {
                self.drop_fallback(key);
                return Judged::Replace(Some(version), None);
            }
            Read::Stored(stored) => stored,
        };
        let is_fresh = stored.times.state(self.clock.now()) != State::Stale;
        match wanted {
            Wanted::Load => {}
            Wanted::Newer(version) if version == stored.version => {}
            Wanted::Fresh | Wanted::Newer(_) if is_fresh => return Judged::Take(stored),
            Wanted::Fresh | Wanted::Newer(_) => self.keep_fallback(key, &stored, reading),
        }
        Judged::Replace(Some(stored.version), Some(stored))
    }
}

/// The use that a flight makes of an entry that it has read.
enum Judged<V> {
    Take(Stored<V>),
    /// It loads, and replaces the entry of this version, if there is one. The entry may be unusable.
    Replace(Option<Version>, Option<Stored<V>>),
}

/// The answer of a flight to all its callers.
pub(crate) struct Answer<V> {
    /// None if the source has no value.
    pub(crate) value: Option<Arc<V>>,
    pub(crate) loaded_at: Timestamp,
    /// The step of the load, if it was loaded now.
    pub(crate) load: Option<u64>,
    /// Only calls that began before this step may take the answer: an invalidation in another
    /// process may have come after it. None if all may.
    pub(crate) before: Option<u64>,
}

impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            ..*self
        }
    }
}

impl<V> Answer<V> {
    /// Returns whether a call may take the answer that had seen `came` steps when it began.
    pub(crate) fn is_for(&self, came: u64, forces_fresh: bool) -> bool {
        let is_loaded_since = self.load.is_some_and(|step| came < step);
        self.before.is_none_or(|step| came < step) && (!forces_fresh || is_loaded_since)
    }
}
