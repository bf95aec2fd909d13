//! Permits and reservations, which a visitor holds for a while.

mod permit;
mod reservation;

use std::sync::Arc;
use std::task::{Poll, ready};

use larder_store::{ErrorKind, Key, Result};
use tokio::runtime::Handle;

use crate::decision::Account;
use crate::limiter::Engine;
use crate::plan::Plan;
use crate::usage::{Answer, Charge, HoldArgs, Settle, SettleArgs};
use crate::{Decision, RateLimiter};

pub use permit::Permit;
pub use reservation::Reservation;

/// The result of a request for a permit or a reservation.
#[derive(Debug)]
#[must_use = "a permit or reservation ends when it is dropped"]
pub enum Grant<T> {
    /// It is granted.
    Held(T),
    /// It is refused, and nothing was charged.
    Refused(Decision),
}

impl<T> Grant<T> {
    /// Returns the permit or reservation. None if it is refused.
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

/// What a request takes in addition to its charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// A permit.
    Permit,
    /// A reservation: its units are held, and nothing is charged.
    Reservation,
}

/// A charge under the rules of a policy, with what the request takes in addition.
///
/// If it is dropped before somebody takes over, whatever it may have taken is given back.
pub(crate) struct Taking {
    pub(crate) charge: Charge,
    hold: Option<Hold>,
}

impl Taking {
    /// Makes the charge of a request for `cost` units.
    pub(crate) fn new(
        limiter: &RateLimiter,
        plan: &Arc<Plan>,
        key: &Key,
        cost: u32,
        takes: Takes,
    ) -> Result<Self> {
        let units = i64::from(cost);
        let (hold_us, cost_of_charge, units_of_hold) = match takes {
            Takes::Nothing => {
                let (charge, hold) = (limiter.charge(plan, cost)?, None);
                return Ok(Self { charge, hold });
            }
            Takes::Permit => (plan.lease_us, units, 0),
            Takes::Reservation => (plan.reservation_us, 0, units),
        };
        plan.check_cost(cost)?;
        let hold = HoldArgs {
            id: random_id(),
            hold_us: hold_us.unwrap_or_default(),
            units: units_of_hold,
        };
        Ok(Self {
            charge: Charge {
                rules: limiter.rules_now(plan),
                cost: cost_of_charge,
                hold,
                ban: limiter.ban_of(plan),
            },
            hold: Some(Hold {
                limiter: limiter.clone(),
                plan: plan.clone(),
                visitor: key.clone(),
                key: key.clone(),
                id: hold.id,
                lease_us: hold.hold_us,
                is_armed: false,
            }),
        })
    }

    /// Returns the charge to be sent, and the receiver of its answer. From now on it may have been carried
    /// out.
    pub(crate) fn send(&mut self) -> (&Charge, Asking<'_>) {
        let Self { charge, hold } = self;
        if let Some(hold) = hold {
            hold.is_armed = true;
        }
        (charge, Asking { charge, hold })
    }

    /// Takes over the answer of a store that answered at once.
    pub(crate) fn decide(&mut self, answer: Result<(Answer, Account)>) -> Result<Decision> {
        self.send().1.decide(answer)
    }

    /// Returns what a request that passed has taken. Dropping it gives that back.
    pub(crate) fn taken(self) -> Option<Hold> {
        self.hold
    }

    /// Hands what a request has taken to somebody who gives all of it back.
    pub(crate) fn leave(&mut self) {
        if let Some(mut hold) = self.hold.take() {
            hold.is_armed = false;
        }
    }
}

/// A charge that was sent.
pub(crate) struct Asking<'a> {
    charge: &'a Charge,
    hold: &'a mut Option<Hold>,
}

impl Asking<'_> {
    /// Takes over the store's answer.
    pub(crate) fn decide(self, answer: Result<(Answer, Account)>) -> Result<Decision> {
        let Charge {
            rules, hold, cost, ..
        } = self.charge;
        // Both are u32 values.
        let cost = (cost + hold.units) as u32;
        let decided = answer.map(|(answer, account)| Decision {
            account,
            ..answer.charged(&rules.rules, cost)
        });
        if let Some(hold) = self.hold {
            hold.is_armed = match &decided {
                Ok(decision) => decision.is_allowed(),
                Err(error) => error.kind() == ErrorKind::MayHaveRun,
            };
            match &decided {
                Ok(decision) if decision.is_allowed() => {
                    hold.key = hold.limiter.charged(hold.key.clone(), decision);
                }
                // If the permit may have been taken, dropping the hold gives it back.
                _ => *self.hold = None,
            }
        }
        decided
    }
}

impl RateLimiter {
    /// Charges a visitor that `engine` counts, and takes what `takes` says, or does neither.
    pub(crate) async fn take(
        &self,
        engine: &Engine,
        key: &Key,
        cost: u32,
        takes: Takes,
    ) -> Result<(Decision, Option<Hold>)> {
        match engine {
            Engine::Usage(plan) if takes != Takes::Nothing => {
                let mut taking = Taking::new(self, plan, key, cost, takes)?;
                let (charge, asking) = taking.send();
                let decision = asking.decide(self.run(key, charge).await)?;
                Ok((decision, taking.taken()))
            }
            _ => {
                let report = self.report_by(engine, key, cost).await?;
                Ok((report.decision(), None))
            }
        }
    }

    /// Does the same in a store that answers at once. Pending means that nothing was done.
    pub(crate) fn take_now(
        &self,
        engine: &Engine,
        key: &Key,
        cost: u32,
        takes: Takes,
    ) -> Poll<Result<(Decision, Option<Hold>)>> {
        let Engine::Usage(plan) = engine else {
            let answer = self.check_by(engine, &*self.programs, key, cost);
            return answer.map_ok(|decision| (decision, None));
        };
        let mut taking = match Taking::new(self, plan, key, cost, takes) {
            Ok(taking) => taking,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let answer = ready!(self.run_now(&*self.programs, key, &taking.charge));
        let decided = taking.decide(answer);
        Poll::Ready(decided.map(|decision| (decision, taking.taken())))
    }
}

/// A permit or a reservation in the store. While it is armed, dropping it gives it back.
pub(crate) struct Hold {
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
        let plan = match self.key == self.visitor {
            true => self.limiter.plan_since(&self.visitor, &self.plan),
            // A shared record was charged by these rules, whatever the newest ones are.
            false => self.plan.clone(),
        };
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

    /// Holds it on for this long, or ends it, and charges the used units. Returns the resulting decision, and
    /// whether it was still there.
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
