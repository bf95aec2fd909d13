use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Capacity, Generation, NearCache};
use larder_store::{Key, Timestamp};
use tokio::time::Instant;

use crate::{Decision, Reason};

/// Remembers refusals in this process, so that a flood of one visitor costs few calls to the store.
///
/// While a refusal is remembered, requests of its visitor that cost as much or more are refused without
/// the store. It is forgotten at its `Retry-After`, and never later: for that, the time is measured from before
/// the store was called. What a client is told is measured from the store's answer, so it never comes back too
/// early. A refusal is also forgotten after [`with_max_age`](Self::with_max_age), by default a second,
/// so that a visitor to whom another process or the support desk gives something back waits no longer than
/// that. What this layer gives back itself takes effect at once.
///
/// Refusals by a [concurrency rule](crate::Rule::concurrency), and those that count towards a
/// [ban](crate::Policy::with_ban), are not remembered.
///
/// Use it with a store that takes a round trip. It does not spare an in-process store, which answers
/// faster than the memory would.
#[derive(Clone)]
pub struct RefusalMemory {
    refusals: Arc<NearCache<Key, Remembered>>,
    /// The moment from which the deadlines are measured.
    started: Instant,
    max_age: Duration,
}

/// A call to the store that has begun, for [`RefusalMemory::remember`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    at: Instant,
    generation: Generation,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    decision: Decision,
    answered_at: Instant,
}

impl RefusalMemory {
    /// The time for which a refusal is remembered by default: 1 s.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(1);

    /// The shortest wait that is remembered. Shorter ones are over before the next request.
    const SHORTEST: Duration = Duration::from_millis(1);

    /// Remembers the refusals of at most `visitors` visitors, each in some 300 bytes.
    ///
    /// It is at least 1; 0 counts as 1.
    pub fn new(visitors: u64) -> Self {
        Self {
            refusals: Arc::new(NearCache::new(Capacity::Entries(visitors.max(1)))),
            started: Instant::now(),
            max_age: Self::DEFAULT_MAX_AGE,
        }
    }

    /// Sets the longest time for which a refusal is remembered.
    ///
    /// The default is 1 s. What the support desk gives back takes effect after this time at the latest.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Returns the refusal of a request for `cost` units, if one is remembered and not over.
    pub(super) fn recall(&self, key: &Key, cost: u32) -> Option<Decision> {
        let held = self.refusals.get(key)?;
        let Remembered {
            decision,
            answered_at,
        } = held.value;
        let now = Instant::now();
        if cost < decision.cost || self.at(now) >= held.deadline {
            return None;
        }
        let passed = now.saturating_duration_since(answered_at).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let left = |micros: i64| (micros - passed).max(0);
        Some(Decision {
            retry_after_us: left(decision.retry_after_us),
            reset_us: left(decision.reset_us),
            more_us: match decision.more_us {
                Decision::BY_GCRA => Decision::BY_GCRA,
                more => left(more),
            },
            ..decision
        })
    }

    /// Prepares to remember the store's next decision about a visitor.
    pub(super) fn begin(&self, key: &Key) -> Asked {
        Asked {
            at: Instant::now(),
            generation: self.refusals.generation(key),
        }
    }

    /// Remembers a refusal, unless its visitor got something back since the call to the store began.
    pub(super) fn remember(&self, key: &Key, decision: Decision, asked: Asked) {
        let is_known = matches!(decision.reason(), Some(Reason::Quota | Reason::Ban));
        let wait = decision.retry_after().min(self.max_age);
        if !is_known || wait < Self::SHORTEST {
            return;
        }
        let value = Remembered {
            decision,
            answered_at: Instant::now(),
        };
        let deadline = self.at(asked.at + wait);
        self.refusals
            .insert_if_unchanged(key.clone(), value, deadline, asked.generation);
    }

    /// Forgets what is remembered of a visitor who got something back.
    pub(super) fn forget(&self, key: &Key) {
        self.refusals.invalidate(key);
    }

    fn at(&self, moment: Instant) -> Timestamp {
        let micros = moment.saturating_duration_since(self.started).as_micros();
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for RefusalMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusalMemory")
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
