//! Decisions while the store fails.

use larder_store::{Error, ErrorKind};

use super::decider::Decider;
use super::response::RETRY_UNAVAILABLE;
use super::settling::ChargedStore;
use super::verdict::{Asked, Decisions, Held, Passed, Refused, Verdict};
use crate::limiter::Engine;
use crate::metrics::Outcome;
use crate::{FailMode, LocalStore, RateLimiter, Reason};

impl Decider {
    /// Decides about a request while the store fails.
    pub(super) fn without_store(&self, asked: &[Asked], error: &Error) -> Verdict {
        match &self.fail_mode {
            // A plan that the limit cannot charge by. The store is well, so it would stay unlimited.
            _ if error.kind() == ErrorKind::Invalid => self.closed(asked),
            FailMode::Open => {
                for asked in asked {
                    self.limits[asked.limit].metrics.count(Outcome::FailedOpen);
                }
                Passed::default().into()
            }
            FailMode::Closed => self.closed(asked),
            FailMode::Local(local) => self.decide_locally(asked, local),
        }
    }

    fn closed(&self, asked: &[Asked]) -> Verdict {
        for asked in asked {
            self.limits[asked.limit]
                .metrics
                .count(Outcome::FailedClosed);
        }
        let limit = asked.first().map_or(0, |asked| asked.limit);
        self.refuse(Refused::without_decision(
            limit,
            Reason::StoreFailed,
            RETRY_UNAVAILABLE,
        ))
    }

    /// Charges all limits in this process, or none.
    fn decide_locally(&self, asked: &[Asked], local: &LocalStore) -> Verdict {
        let mut decisions = Decisions::new();
        let mut has_failed = false;
        for asked in asked {
            let (limiter, engine) = self.counting_locally(asked);
            let Ok(decision) = local.check(limiter, &engine, &asked.key, asked.cost) else {
                has_failed = true;
                break;
            };
            let limit = &self.limits[asked.limit];
            decisions.push(limit.decided(asked.limit, &asked.engine, decision));
        }
        let refused = decisions.iter().filter(|it| !it.decision.is_allowed());
        let refused = refused.max_by_key(|it| it.decision.retry_after()).cloned();
        if has_failed || refused.is_some() {
            self.give_back_locally(asked, &decisions, local);
        }
        match refused {
            _ if has_failed => self.closed(asked),
            Some(refused) => {
                self.limits[refused.limit]
                    .metrics
                    .count(Outcome::LocalRefused);
                self.refuse(Refused::by(refused))
            }
            None => {
                let mut held = Held::default();
                for (decided, asked) in decisions.iter().zip(asked) {
                    self.passed(decided, Outcome::LocalAllowed);
                    let (_, engine) = self.counting_locally(asked);
                    let (at, key) = (asked.limit, &asked.key);
                    let (decision, store) = (&decided.decision, ChargedStore::Local);
                    let charge = self.refundable(at, key, &engine, decision, store);
                    held.refundables.extend(charge);
                }
                let held = held.boxed();
                Passed { decisions, held }.into()
            }
        }
    }

    fn give_back_locally(&self, asked: &[Asked], decisions: &Decisions, local: &LocalStore) {
        for (decided, asked) in decisions.iter().zip(asked) {
            let (limiter, engine) = self.counting_locally(asked);
            let decision = &decided.decision;
            if let Some(back) = limiter.give_back(&asked.key, &engine, decision) {
                let key = limiter.charged(asked.key.clone(), decision);
                // It answers at once; a charge that stays comes back by itself.
                let _ = local.refund(&key, &back);
            }
        }
    }

    /// Returns the limiter that counts in this process, and by what it counts the visitor.
    fn counting_locally(&self, asked: &Asked) -> (&RateLimiter, Engine) {
        let limiter = self.limits[asked.limit].counting_in(ChargedStore::Local);
        (limiter, limiter.engine_as(&asked.engine))
    }
}
