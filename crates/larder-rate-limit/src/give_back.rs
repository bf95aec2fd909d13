use std::task::Poll;

use larder_store::program::{Call, Programs, Run};
use larder_store::{Key, Result};

use crate::limiter::Engine;
use crate::program::Refund;
use crate::usage::{Charge, Settle, SettleArgs};
use crate::{Decision, RateLimiter};

/// Gives a charge back, on the record that was charged.
#[derive(Clone, Debug)]
pub(crate) enum GiveBack {
    Gcra(Refund, u32),
    Usage(Box<Settle>, u32),
}

impl GiveBack {
    /// Gives back what `decision` charged to a visitor that `engine` counts. None if it charged
    /// nothing.
    pub(crate) fn of(
        limiter: &RateLimiter,
        engine: &Engine,
        decision: &Decision,
    ) -> Result<Option<Self>> {
        if !decision.is_charged() {
            return Ok(None);
        }
        Ok(match engine {
            Engine::Unlimited(_) => None,
            Engine::Gcra(gcra) => {
                let gcra = gcra.with_cost(decision.cost)?;
                Refund::of(gcra, decision).map(|refund| Self::Gcra(refund, decision.cost))
            }
            Engine::Usage(plan) => {
                let settlement = SettleArgs {
                    moment: decision.paid_off_us,
                    back: i64::from(decision.cost),
                    ..SettleArgs::default()
                };
                let rules = limiter.rules_now(plan);
                Some(Self::Usage(
                    Box::new(Settle { rules, settlement }),
                    decision.cost,
                ))
            }
        })
    }

    /// Gives back all of a charge: also its hold, and not units that are only held.
    pub(crate) fn with_all_of(mut self, charge: &Charge) -> Self {
        if let Self::Usage(settle, _) = &mut self {
            settle.settlement.id = charge.hold.id;
            settle.settlement.back = charge.cost;
        }
        self
    }

    pub(crate) fn run_now(&self, programs: &dyn Programs, key: &Key) -> Poll<Result<Decision>> {
        match self {
            Self::Gcra(refund, cost) => {
                let answer = programs.run_now(key, refund);
                answer.map_ok(|decision| decision.costing(*cost))
            }
            Self::Usage(settle, cost) => {
                let answer = programs.run_now(key, &**settle);
                answer.map_ok(|answer| answer.decision(&settle.rules.rules, *cost))
            }
        }
    }

    /// Returns the step, to be sent together with others.
    pub(crate) fn sent(&self) -> Box<dyn Call + '_> {
        match self {
            Self::Gcra(refund, _) => Box::new(Run::new(refund)),
            Self::Usage(settle, _) => Box::new(Run::new(&**settle)),
        }
    }

    pub(crate) async fn run(&self, programs: &dyn Programs, key: &Key) -> Result<Decision> {
        match self {
            Self::Gcra(refund, cost) => Ok(programs.run(key, refund).await?.costing(*cost)),
            Self::Usage(settle, cost) => {
                let answer = programs.run(key, &**settle).await?;
                Ok(answer.decision(&settle.rules.rules, *cost))
            }
        }
    }
}
