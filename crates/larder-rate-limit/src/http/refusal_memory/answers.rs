//! What is remembered of one visitor.

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::Decision;

/// The refusals of the cheapest and of the costliest request of a visitor.
///
/// What is refused at one cost is refused at each higher cost too, and has to wait at least as long there.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(SmallVec<[Answer; 1]>);

/// The store's answer to a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    pub(super) answered_at: Instant,
    /// When it is forgotten.
    pub(super) until: Instant,
}

impl Answers {
    /// Returns the answers with another one, without those that are over.
    pub(super) fn with(&self, new: Answer, now: Instant) -> Self {
        let is_kept = |it: &&Answer| it.until > now && it.decision.cost != new.decision.cost;
        let mut each: SmallVec<[Answer; 1]> = self.0.iter().filter(is_kept).copied().collect();
        each.push(new);
        each.sort_unstable_by_key(|answer| answer.decision.cost);
        if let [_, .., _] = &*each {
            each.drain(1..each.len() - 1);
        }
        Self(each)
    }

    /// Returns when the last of them is over.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.iter().map(|answer| answer.until).max()
    }

    /// Returns the refusal of a request for `cost` units, if it is known. Its wait is that of the same cost, or of
    /// a higher one, so it does not end too early.
    pub(super) fn refusal(&self, cost: u32, now: Instant) -> Option<Decision> {
        let mut live = self.0.iter().filter(|answer| answer.until > now);
        let is_refused = live.clone().any(|answer| answer.decision.cost <= cost);
        let answer = live.find(|answer| answer.decision.cost >= cost)?;
        is_refused.then(|| answer.at(now, cost))
    }
}

impl Answer {
    /// Returns the decision as it is now, about a request for `cost` units.
    fn at(&self, now: Instant, cost: u32) -> Decision {
        let passed = now.saturating_duration_since(self.answered_at);
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let left = |micros: i64| (micros - passed).max(0);
        let decision = self.decision;
        Decision {
            cost,
            retry_after_us: left(decision.retry_after_us),
            reset_us: left(decision.reset_us),
            more_us: match decision.more_us {
                Decision::BY_GCRA => Decision::BY_GCRA,
                more => left(more),
            },
            ..decision
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Gcra, Quota};

    const SECOND: Duration = Duration::from_secs(1);

    /// The refusal of a request for `cost` units, of which none is left of 10 for each 10 s.
    fn refused(cost: u32, until: Instant) -> Answer {
        let gcra = Gcra::new(Quota::new(10, 10 * SECOND), cost).unwrap();
        let (mut decision, _) = gcra.charge(Some(10_000_000), 0);
        decision.cost = cost;
        Answer {
            decision,
            answered_at: until - SECOND,
            until,
        }
    }

    #[test]
    fn the_cheapest_and_the_costliest_refusal_answer_what_costs_as_much_or_is_between_them() {
        let begun = Instant::now();
        let end = begun + SECOND;
        let mut answers = Answers::default();
        for cost in [4, 8, 2, 6] {
            answers = answers.with(refused(cost, end), begun);
        }
        assert_eq!(answers.until(), Some(end));
        for (cost, wait) in [
            (1, None),
            (2, Some(2)),
            (4, Some(8)),
            (8, Some(8)),
            (9, None),
        ] {
            let found = answers.refusal(cost, begun);
            let found = found.map(|it| (it.cost(), it.retry_after().as_secs()));
            assert_eq!(found, wait.map(|wait| (cost, wait)), "{cost}");
        }
        assert!(answers.refusal(8, end).is_none());
    }

    #[test]
    fn a_refusal_that_is_over_says_nothing_of_another_cost() {
        let begun = Instant::now();
        let (soon, late) = (begun + SECOND, begun + 2 * SECOND);
        for (cheap, costly, known) in [
            (soon, late, [false, false, true]),
            (late, soon, [true, false, false]),
        ] {
            let answers = Answers::default().with(refused(2, cheap), begun);
            let answers = answers.with(refused(8, costly), begun);
            let found = [2, 5, 8].map(|cost| answers.refusal(cost, soon).is_some());
            assert_eq!(found, known);
        }
    }
}
