mod answers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Capacity, Generation, Held, NearCache};
use larder_store::{Key, Timestamp};
use tokio::time::Instant;

use crate::Decision;
use answers::{Answer, Answers};

/// Remembers refusals in this process, so that a flood of one visitor costs few calls to the store.
///
/// While a refusal is remembered, requests of its visitor that cost as much are refused without the store. Of
/// requests that cost different amounts, the refusals of the cheapest and of the costliest are remembered, and those
/// in between are told the wait of the costliest. So nobody is told to come back too early.
///
/// A refusal is forgotten at its `Retry-After`, and never later: for that, the time is measured from before
/// the store was called. What a client is told is measured from the store's answer. A refusal is also forgotten
/// after [`with_max_age`](Self::with_max_age), by default a second, so that what another process or an operator
/// changes takes effect within that time. What this layer itself charges or gives back takes effect at once, or within
/// that time if the store answers after the timeout, another limit's store fails, or the request is dropped.
///
/// Refusals by a [concurrency rule](crate::Rule::concurrency), and those that count towards a
/// [ban](crate::Policy::with_ban), call the store each time.
///
/// If a layer has [several limits](crate::RateLimitLayer::and), it is also remembered which of them would have let
/// a refused request pass. A request is refused without the store only if the answer of each of its limits is known. So
/// its client is told the longest wait, and no refusal that counts towards a ban is missed. If nothing is known about
/// one of its visitors, such as another account from the same address, the request calls the store.
///
/// Of concurrent requests of one visitor, one may miss such a refusal.
///
/// Clones share what they remember, by the limiter's name and the visitor. If layers have limiters of the same
/// name on different stores, give each layer a memory of its own.
///
/// Use it with a store that takes a round trip. With an in-process store it saves nothing, because that answers
/// faster than the memory would.
#[derive(Clone)]
pub struct RefusalMemory {
    visitors: Arc<NearCache<Key, Answers>>,
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

impl RefusalMemory {
    /// The time for which a refusal is remembered by default: 1 s.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(1);

    /// The shortest wait that is remembered. Shorter ones are over before the next request.
    const SHORTEST: Duration = Duration::from_millis(1);

    /// Remembers the refusals of at most `visitors` visitors, each in some 350 bytes, and in up to 350 more if its
    /// requests cost different amounts.
    ///
    /// It is at least 1; 0 counts as 1.
    pub fn new(visitors: u64) -> Self {
        Self {
            visitors: Arc::new(NearCache::new(Capacity::Entries(visitors.max(1)))),
            started: Instant::now(),
            max_age: Self::DEFAULT_MAX_AGE,
        }
    }

    /// Sets the longest time for which a refusal is remembered.
    ///
    /// The default is 1 s. What an operator gives back takes effect after this time at the latest.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Returns what the store said last of a request for `cost` units, if that is remembered and not over.
    ///
    /// That it passes, or lacks a place, counts only beside the refusal of another limit.
    pub(super) fn recall(&self, key: &Key, cost: u32) -> Option<Decision> {
        let held = self.visitors.get(key)?;
        held.value.decision(cost, Instant::now())
    }

    /// Prepares to remember the store's next decision about a visitor.
    pub(super) fn begin(&self, key: &Key) -> Asked {
        Asked {
            at: Instant::now(),
            generation: self.visitors.generation(key),
        }
    }

    /// Remembers a refusal, unless its visitor was charged or got something back since the call to the store began.
    pub(super) fn remember(&self, key: &Key, decision: Decision, asked: Asked) {
        let wait = decision.retry_after().min(self.max_age);
        if wait < Self::SHORTEST {
            return;
        }
        let now = Instant::now();
        let answer = Answer {
            decision,
            answered_at: now,
            until: asked.at + wait,
        };
        self.visitors
            .update_unless_removed(key, asked.generation, |held| {
                let answers = held.map(|held| held.value).unwrap_or_default();
                let value = answers.with(answer, now);
                let deadline = self.at(value.until()?);
                Some(Held { value, deadline })
            });
    }

    /// Remembers that a request passes this limit, though another refuses it for this long.
    ///
    /// Everything else of the visitor is forgotten: a refusal may be due to what this request was charged and got
    /// back.
    pub(super) fn passes(&self, key: &Key, decision: Decision, wait: Duration, asked: Asked) {
        let now = Instant::now();
        let until = asked.at + wait.min(self.max_age);
        let answer = Answer {
            decision,
            answered_at: now,
            until,
        };
        let answers = Answers::default().with(answer, now);
        self.forget(key);
        self.visitors.insert(key.clone(), answers, self.at(until));
    }

    /// Forgets what is remembered of a visitor after a charge or a refund.
    ///
    /// A refusal that another request of the visitor is just being told does not count that, and is not remembered
    /// either. Those of other visitors are.
    pub(super) fn forget(&self, key: &Key) {
        self.visitors.remove_if(key, |_| true);
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

#[cfg(test)]
mod tests {
    use larder_store::program::Record;

    use super::*;
    use crate::{Gcra, Quota, Tat};

    #[tokio::test(start_paused = true)]
    async fn a_refusal_misses_no_change_of_its_visitor_and_none_of_another_matters() {
        let memory = RefusalMemory::new(10_000);
        let visitor = |number: u32| Key::new(Tat::KIND, ("test", number));
        let ann = visitor(0);
        let gcra = Gcra::new(Quota::new(10, Duration::from_secs(10)), 5).unwrap();
        let (refused, _) = gcra.charge(Some(10_000_000), 0);
        let passes = |key: &Key| {
            let (passed, _) = gcra.charge(None, 0);
            memory.passes(
                key,
                passed.costing(5),
                Duration::from_secs(1),
                memory.begin(key),
            );
        };
        let forgets = |key: &Key| memory.forget(key);
        let changes: [&dyn Fn(&Key); 2] = [&passes, &forgets];
        for change in changes {
            for (changed, is_remembered) in [(1..2_000, true), (0..1, false)] {
                let asked = memory.begin(&ann);
                // Other requests are answered first.
                changed.map(visitor).for_each(|key| change(&key));
                memory.remember(&ann, refused.costing(5), asked);
                let found = memory.recall(&ann, 5).filter(|it| !it.is_allowed());
                assert_eq!(found.is_some(), is_remembered);
                memory.forget(&ann);
            }
        }
    }
}
