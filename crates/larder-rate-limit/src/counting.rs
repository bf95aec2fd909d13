//! Counts the decisions of calls without a layer. A layer counts its own.

use larder_store::{Error, ErrorKind, Result};

use crate::metrics::Outcome;
use crate::{Decision, RateLimiter};

impl RateLimiter {
    /// Counts a result of this limiter, in which `decision` finds the decision, and returns the result.
    pub(crate) fn counted<T>(
        &self,
        answer: Result<T>,
        decision: impl FnOnce(&T) -> Decision,
    ) -> Result<T> {
        match &answer {
            Ok(decided) => self.count(&decision(decided)),
            Err(error) => self.count_failure(error),
        }
        answer
    }

    /// Counts a decision.
    pub(crate) fn count(&self, decision: &Decision) {
        match decision.reason() {
            None => {
                let is_near = self.is_near_limit(decision);
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
}
