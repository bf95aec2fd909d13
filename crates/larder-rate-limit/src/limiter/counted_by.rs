//! Finds how a visitor is counted: by the limiter's own policy, or the visitor's plan.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Key, Result};

use super::{Engine, RateLimiter};
use crate::Decision;
use crate::give_back::GiveBack;
use crate::plan::Plan;
use crate::plans;
use crate::usage::{BanArgs, Charge, HoldArgs, Rules};

/// Whether the limiter's own policy can replace a plan that is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnPolicy {
    Does,
    /// Its rules would drop what those of the plan have counted.
    ForgetsUnits,
}

impl RateLimiter {
    /// Finds how to charge the visitor with `key`.
    pub(crate) async fn engine_of(&self, key: &Key) -> Engine {
        self.engine_within(key, Duration::MAX).await
    }

    /// Does the same, and waits `within` at most.
    pub(crate) async fn engine_within(&self, key: &Key, within: Duration) -> Engine {
        let Some(plans) = &self.plans else {
            return self.engine.clone();
        };
        let now = crate::clock::steady(&*self.programs);
        match plans.find(key, now, within).await {
            Some(plan) => self.engine_by(&plan),
            None => {
                plans.charged_by_own(key);
                self.engine.clone()
            }
        }
    }

    /// Finds how the visitor with `key` is counted, for a look that charges nothing.
    pub(crate) async fn engine_to_look(&self, key: &Key) -> Engine {
        let plan = match &self.plans {
            None => None,
            Some(plans) => {
                let now = crate::clock::steady(&*self.programs);
                plans.find(key, now, Duration::MAX).await
            }
        };
        plan.map_or_else(|| self.engine.clone(), |plan| self.engine_by(&plan))
    }

    /// Finds how to charge the visitor with `key`, without waiting. None if it would have to wait.
    #[inline]
    pub(crate) fn engine_now(&self, key: &Key) -> Option<Cow<'_, Engine>> {
        let own = Cow::Borrowed(&self.engine);
        match &self.plans {
            None => Some(own),
            Some(plans) => {
                let plan = plans.kept_to_charge(key, crate::clock::steady(&*self.programs))?;
                Some(plan.map_or(own, |plan| Cow::Owned(self.engine_by(&plan))))
            }
        }
    }

    /// Finds how to refund a charge that this process may not remember.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] if it finds neither the plan of the visitor, nor that the limiter's own policy has
    /// charged it.
    pub(crate) async fn engine_charged(&self, key: &Key) -> Result<Engine> {
        let Some(plans) = &self.plans else {
            return Ok(self.engine.clone());
        };
        let is_known = plans.knows(key);
        let now = crate::clock::steady(&*self.programs);
        match plans.find(key, now, Duration::MAX).await {
            Some(plan) => Ok(self.engine_by(&plan)),
            None if is_known => Ok(self.engine.clone()),
            // The rules of the limiter's own policy would drop the counts of the plan's rules.
            None => Err(plans::lost()),
        }
    }

    /// Finds how the support desk changes the state of the visitor with `key`: by its newest plan.
    ///
    /// `if_unknown` says whether the limiter's own policy will do if no plan was ever found.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] if no plan is known and the limiter's own policy will not do.
    pub(crate) async fn engine_for_desk(&self, key: &Key, if_unknown: OwnPolicy) -> Result<Engine> {
        let Some(plans) = &self.plans else {
            return Ok(self.engine.clone());
        };
        let now = crate::clock::steady(&*self.programs);
        match (plans.find_anew(key, now).await, if_unknown) {
            (Some(plan), _) => Ok(self.engine_by(&plan)),
            (None, OwnPolicy::Does) => Ok(self.engine.clone()),
            (None, OwnPolicy::ForgetsUnits) => Err(plans::unknown()),
        }
    }

    /// Returns the plan by which to settle what `charged` has counted for the visitor, without waiting.
    ///
    /// It is a newer plan if this process knows one: the rules of another plan would drop the state of the
    /// current ones.
    pub(crate) fn plan_since(&self, key: &Key, charged: &Arc<Plan>) -> Arc<Plan> {
        let newer = self.plans.as_ref().and_then(|plans| plans.last(key));
        match newer {
            Some(plan) if !plan.args().is_empty() => self.share_of(&plan),
            _ => charged.clone(),
        }
    }

    /// Returns an engine that counts as `engine` does, or by this limiter's share of its quotas.
    pub(crate) fn engine_as(&self, engine: &Engine) -> Engine {
        match engine {
            Engine::Gcra(_) => self.engine.clone(),
            Engine::Usage(plan) | Engine::Unlimited(plan) => self.engine_by(plan),
        }
    }

    pub(super) fn engine_by(&self, plan: &Arc<Plan>) -> Engine {
        Engine::of(self.share_of(plan))
    }

    fn share_of(&self, plan: &Arc<Plan>) -> Arc<Plan> {
        match self.share.get() {
            1 => plan.clone(),
            _ => plan.share_of(self.share),
        }
    }

    /// Returns a charge that holds nothing.
    pub(crate) fn charge(&self, plan: &Plan, cost: u32) -> Result<Charge> {
        if plan.lease_us.is_some() {
            return Err(Error::new(
                "check a rate limit",
                ErrorKind::Invalid,
                "a rule of the policy limits concurrency: use RateLimiter::acquire and keep the permit",
            ));
        }
        plan.check_cost(cost)?;
        Ok(Charge {
            rules: self.rules_now(plan),
            cost: i64::from(cost),
            hold: HoldArgs::default(),
            ban: self.ban_of(plan),
        })
    }

    /// Returns when a refusal under `plan` bans.
    pub(crate) fn ban_of(&self, plan: &Plan) -> BanArgs {
        match self.counts_refusals {
            true => plan.ban,
            false => BanArgs::default(),
        }
    }

    /// Returns the rules of `plan` now.
    pub(crate) fn rules_now(&self, plan: &Plan) -> Rules {
        plan.rules(|| crate::clock::now(&*self.programs))
    }

    /// Returns how to refund what `decision` charged to a visitor that `charged` counted. None if it charged
    /// nothing.
    pub(crate) fn give_back(
        &self,
        key: &Key,
        charged: &Engine,
        decision: &Decision,
    ) -> Option<GiveBack> {
        let engine = match charged {
            Engine::Usage(plan) if !decision.is_shared() => {
                Engine::Usage(self.plan_since(key, plan))
            }
            _ => charged.clone(),
        };
        GiveBack::of(self, &engine, decision).ok().flatten()
    }
}
