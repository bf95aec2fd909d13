//! What a visitor holds for a while: permits and reservations.

mod permit;
mod reservation;

use std::sync::Arc;

use larder_store::{ErrorKind, Key, Result};
use tokio::runtime::Handle;

use crate::plan::Plan;
use crate::usage::{Charge, HoldArgs, Settle, SettleArgs};
use crate::{Decision, RateLimiter};

pub use permit::Permit;
pub use reservation::Reservation;

/// What a limiter grants, or why it does not.
#[derive(Debug)]
#[must_use = "what is granted is given back when it is dropped"]
pub enum Grant<T> {
    /// It is granted.
    Held(T),
    /// It is refused, and nothing was charged.
    Refused(Decision),
}

impl<T> Grant<T> {
    /// Returns what is granted. None if it is refused.
    pub fn held(self) -> Option<T> {
        match self {
            Self::Held(held) => Some(held),
            Self::Refused(_) => None,
        }
    }

    /// Returns the decision of a refusal. None if it is granted.
    pub fn refused(&self) -> Option<Decision> {
        match self {
            Self::Held(_) => None,
            Self::Refused(decision) => Some(*decision),
        }
    }
}

impl RateLimiter {
    /// Charges `cost` units and holds `units` more, or neither.
    async fn hold(
        &self,
        key: &Key,
        plan: &Arc<Plan>,
        cost: u32,
        lease_us: i64,
        units: u32,
    ) -> Result<(Decision, Option<Hold>)> {
        plan.check_cost(cost + units)?;
        let id = random_id();
        let charge = Charge {
            rules: self.rules_now(plan),
            cost: i64::from(cost),
            hold: HoldArgs {
                id,
                hold_us: lease_us,
                units: i64::from(units),
            },
            ban: self.ban_of(plan),
        };
        // Whatever ends this before somebody takes over, what was taken is given back.
        let mut hold = Hold {
            limiter: self.clone(),
            plan: plan.clone(),
            visitor: key.clone(),
            key: key.clone(),
            id,
            lease_us,
            is_armed: true,
        };
        match self.run(key, &charge).await {
            Ok((answer, account)) => {
                let decision = Decision {
                    account,
                    ..answer.charged(plan.args(), cost + units)
                };
                hold.key = self.charged(key.clone(), &decision);
                hold.is_armed = decision.is_allowed();
                let hold = decision.is_allowed().then_some(hold);
                Ok((decision, hold))
            }
            Err(error) => {
                hold.is_armed = error.kind() == ErrorKind::MayHaveRun;
                Err(error)
            }
        }
    }
}

/// A hold in the store. It is given back when it is dropped, while it is armed.
struct Hold {
    limiter: RateLimiter,
    /// The plan under which it was taken.
    plan: Arc<Plan>,
    visitor: Key,
    /// The key of the record that holds it.
    key: Key,
    id: i64,
    lease_us: i64,
    is_armed: bool,
}

impl Hold {
    /// Settles by the newest rules of the visitor that are known without waiting.
    fn settlement(&self, hold_us: i64, actual: i64) -> Settle {
        let plan = self.limiter.plan_since(&self.visitor, &self.plan);
        Settle {
            rules: self.limiter.rules_now(&plan),
            settlement: SettleArgs {
                id: self.id,
                hold_us,
                actual,
                ..SettleArgs::default()
            },
        }
    }

    /// Holds it on for so long, or ends it, and charges what was used. Returns what holds now, and whether it
    /// was there.
    async fn settle(&self, hold_us: i64, actual: i64) -> Result<(Decision, bool)> {
        let settle = self.settlement(hold_us, actual);
        let answer = self.limiter.programs.run(&self.key, &settle).await?;
        Ok((answer.decision(&settle.rules.rules, 1), answer.says == 1))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_armed {
            return;
        }
        let settle = self.settlement(0, 0);
        if self.limiter.programs.run_now(&self.key, &settle).is_ready() {
            return;
        }
        // Without a runtime the lease ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            let (programs, key) = (self.limiter.programs.clone(), self.key.clone());
            runtime.spawn(async move {
                // If it fails, the lease ends by itself.
                let _ = programs.run(&key, &settle).await;
            });
        }
    }
}

/// Returns a random number below 2^53, and never 0, which is the id of no hold.
fn random_id() -> i64 {
    (rand::random::<u64>() >> 11) as i64 | 1
}
