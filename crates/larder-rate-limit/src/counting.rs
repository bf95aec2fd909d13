//! Counts the decisions of calls without a layer. A layer counts its own.

use larder_store::{Error, ErrorKind, Key, Result};

use crate::metrics::Outcome;
use crate::{Decision, RateLimiter};

impl RateLimiter {
    /// Counts a result of this limiter, in which `decision` finds the decision, and returns the result.
    pub(crate) fn counted<T>(
        &self,
        key: &Key,
        answer: Result<T>,
        decision: impl FnOnce(&T) -> Decision,
    ) -> Result<T> {
        match &answer {
            Ok(decided) => self.count(key, &decision(decided)),
            Err(error) => self.count_failure(error),
        }
        answer
    }

    /// Counts a decision about the visitor with `key`.
    pub(crate) fn count(&self, key: &Key, decision: &Decision) {
        match decision.reason() {
            None => {
                let is_near = self.is_near_limit(key, decision);
                self.metrics.passed(Outcome::Allowed, decision, is_near);
            }
            Some(reason) => self.metrics.refusal(decision, reason),
        }
    }

    /// Counts a request that was not decided because the store failed. The caller's mistakes are not counted.
    pub(crate) fn count_failure(&self, error: &Error) {
        if error.kind() != ErrorKind::Invalid {
            self.metrics.count(Outcome::Failed);
        }
    }

    fn is_near_limit(&self, key: &Key, decision: &Decision) -> bool {
        let last = self.plans.as_ref().and_then(|plans| plans.last(key));
        match last.as_ref().or(self.engine.plan()) {
            None => decision.leaves_a_fifth_of(self.quota().burst()),
            Some(plan) => {
                let rule = plan.policy.rules().get(decision.rule());
                rule.is_some_and(|rule| decision.leaves_a_fifth_of(rule.quota().burst()))
            }
        }
    }
}
