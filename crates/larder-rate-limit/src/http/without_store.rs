//! Decisions while the store fails.

use larder_store::{Error, ErrorKind};

use super::decider::Decider;
use super::response::RETRY_UNAVAILABLE;
use super::settling::ChargedStore;
use super::verdict::{Asked, Decisions, Held, Passed, Refused, Verdict};
use crate::hold::Takes;
use crate::limiter::Engine;
use crate::metrics::Outcome;
use crate::{FailMode, LocalStore, RateLimiter, Reason};

impl Decider {
    /// Decides about a request while the store fails.
    pub(super) fn without_store(&self, asked: &[Asked], error: &Error) -> Verdict {
        match &self.fail_mode {
            // The limit cannot charge by this plan. The store works, so the visitor would stay
            // unlimited.
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
        let each: Vec<_> = asked.iter().map(|it| self.asked_locally(it)).collect();
        let mut decisions = Decisions::new();
        let mut holds = Vec::with_capacity(each.len());
        for Locally {
            limiter,
            here,
            plan,
        } in &each
        {
            let takes = self.takes(&here.engine);
            let taken = local.take(limiter, &here.engine, &here.key, here.cost, takes);
            let Ok((decision, hold)) = taken else {
                break;
            };
            let limit = &self.limits[here.limit];
            decisions.push(limit.decided(here.limit, plan, decision));
            holds.push(hold);
        }
        let has_failed = decisions.len() < asked.len();
        let refused = decisions.iter().filter(|it| !it.decision.is_allowed());
        let refused = refused.max_by_key(|it| it.decision.retry_after()).cloned();
        if has_failed || refused.is_some() {
            self.give_back_locally(&each, &decisions, local);
        }
        match refused {
            // Everything that was taken is given back.
            _ if has_failed => self.closed(asked),
            Some(refused) => {
                self.limits[refused.limit]
                    .metrics
                    .count(Outcome::LocalRefused);
                self.refuse(Refused::by(refused))
            }
            None => {
                let mut held = Held::default();
                for ((decided, Locally { limiter, here, .. }), hold) in
                    decisions.iter().zip(&each).zip(holds)
                {
                    self.passed(decided, limiter, Outcome::LocalAllowed);
                    let decision = decided.decision;
                    held.keep(here, self.takes(&here.engine), decision, hold);
                    self.keep_refundable(here, &decision, ChargedStore::Local, &mut held);
                }
                let held = held.boxed();
                Passed { decisions, held }.into()
            }
        }
    }

    fn give_back_locally(&self, each: &[Locally<'_>], decisions: &Decisions, local: &LocalStore) {
        for (decided, Locally { limiter, here, .. }) in decisions.iter().zip(each) {
            let decision = &decided.decision;
            // A reservation charges nothing.
            if self.takes(&here.engine) != Takes::Reservation
                && let Some(back) = limiter.give_back(&here.key, &here.engine, decision)
            {
                let key = limiter.charged(here.key.clone(), decision);
                // This store answers at once; a charge that is not refunded expires by itself.
                let _ = local.refund(&here.engine, &key, &back);
            }
        }
    }

    /// Returns the question to a limit in this process.
    fn asked_locally<'a>(&'a self, asked: &'a Asked) -> Locally<'a> {
        let limiter = self.limits[asked.limit].counting_in(ChargedStore::Local);
        let here = Asked {
            engine: limiter.engine_as(&asked.engine),
            ..asked.clone()
        };
        let plan = &asked.engine;
        Locally {
            limiter,
            here,
            plan,
        }
    }
}

/// The question to a limit in this process.
struct Locally<'a> {
    limiter: &'a RateLimiter,
    here: Asked,
    /// The engine that counts the visitor in all processes together.
    plan: &'a Engine,
}
