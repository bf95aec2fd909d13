//! The answers of the store that are remembered about one visitor.

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::Decision;

/// What the store said last of a visitor: the refusals of the cheapest and of the costliest request, and at most one
/// answer that only counts beside the refusal of another limit.
///
/// What is refused at one cost is refused at each higher cost too, and has to wait at least as long there. The
/// answer beside them comes first.
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
        let is_replaced = |it: &Answer| match new.refuses() {
            true => it.refuses() && it.decision.cost == new.decision.cost,
            false => !it.refuses(),
        };
        let kept = self
            .0
            .iter()
            .filter(|it| it.until > now && !is_replaced(it));
        let mut each: SmallVec<[Answer; 1]> = kept.copied().collect();
        each.push(new);
        each.sort_unstable_by_key(|answer| (answer.refuses(), answer.decision.cost));
        let cheapest = each.partition_point(|answer| !answer.refuses());
        if each.len() > cheapest + 2 {
            each.drain(cheapest + 1..each.len() - 1);
        }
        Self(each)
    }

    /// Returns when the last of them is over.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.iter().map(|answer| answer.until).max()
    }

    /// Returns the decision about a request for `cost` units, if it is known. The wait of a refusal is that of the
    /// same cost, or of a higher one, so it does not end too early.
    pub(super) fn decision(&self, cost: u32, now: Instant) -> Option<Decision> {
        let live = self.0.iter().filter(|answer| answer.until > now);
        let mut refusals = live.clone().filter(|answer| answer.refuses());
        let is_refused = refusals.clone().any(|answer| answer.decision.cost <= cost);
        let answer = match is_refused {
            true => refusals.find(|answer| answer.decision.cost >= cost),
            false => live.clone().find(|answer| answer.is_beside(cost)),
        };
        answer.map(|answer| answer.at(now, cost))
    }
}

impl Answer {
    fn refuses(&self) -> bool {
        self.decision.is_lasting_refusal()
    }

    /// Returns whether this is what another limit than the one that refuses a request says of its cost.
    fn is_beside(&self, cost: u32) -> bool {
        match self.decision.is_allowed() {
            true => cost <= self.decision.cost,
            false => !self.refuses() && cost == self.decision.cost,
        }
    }

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
    use crate::{Gcra, Quota, Reason};

    const SECOND: Duration = Duration::from_secs(1);

    /// The refusal of a request for `cost` units, of which none is left of 10 for each 10 s.
    fn refused(cost: u32, until: Instant) -> Answer {
        let gcra = Gcra::new(Quota::new(10, 10 * SECOND), cost).unwrap();
        let (decision, _) = gcra.charge(Some(10_000_000), 0);
        answer(Decision { cost, ..decision }, until)
    }

    fn answer(decision: Decision, until: Instant) -> Answer {
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
            let found = answers.decision(cost, begun);
            let found = found.map(|it| (it.cost(), it.retry_after().as_secs()));
            assert_eq!(found, wait.map(|wait| (cost, wait)), "{cost}");
        }
        assert!(answers.decision(8, end).is_none());
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
            let found = [2, 5, 8].map(|cost| answers.decision(cost, soon).is_some());
            assert_eq!(found, known);
        }
    }

    #[test]
    fn what_passes_or_lacks_a_place_is_known_apart_from_the_refusals() {
        let begun = Instant::now();
        let end = begun + SECOND;
        let answers = Answers::default().with(refused(6, end), begun);
        let known = |answers: &Answers| {
            [1, 3, 4, 6].map(|cost| answers.decision(cost, begun).map(|it| it.reason()))
        };
        let quota = Some(Some(Reason::Quota));
        assert_eq!(known(&answers), [None, None, None, quota]);
        let passed = answers.with(answer(Decision::unlimited(3), end), begun);
        assert_eq!(known(&passed), [Some(None), Some(None), None, quota]);
        let place = Decision {
            reason: Some(Reason::Concurrency),
            ..refused(3, end).decision
        };
        let full = passed.with(answer(place, end), begun);
        let concurrency = Some(Some(Reason::Concurrency));
        assert_eq!(known(&full), [None, concurrency, None, quota]);
        // A refusal counts more than that something has passed before.
        let refused = passed.with(refused(1, end), begun);
        assert_eq!(known(&refused), [quota; 4]);
    }
}
