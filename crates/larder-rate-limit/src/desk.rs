//! What the support desk does with one visitor.

use std::time::Duration;

use larder_store::{Error, ErrorKind, KeyId, Result};

use crate::decision::Account;
use crate::limiter::{Engine, OwnPolicy};
use crate::plan::micros;
use crate::policy::is_span;
use crate::program::DeskTat;
use crate::usage::{Desk, Task};
use crate::{RateLimiter, Report};

/// The support desk. Each call takes one round trip, or none in process, and returns what a request of the
/// visitor would be told now.
///
/// Of a visitor with a [plan](crate::Plans) each call finds the plan anew, and goes by the last one if that fails.
impl RateLimiter {
    /// Sets how many units `visitor` has used of each rule, from now on.
    ///
    /// A single quota counts at most the burst, and the rules of a policy at most twice their limits.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for a policy without rules. [`ErrorKind::NotSent`] if this
    /// process knows no plan of the visitor and finds none: nothing is changed then.
    pub async fn set(&self, visitor: impl KeyId, used: u32) -> Result<Report> {
        self.desk(visitor, Task::Set(i64::from(used))).await
    }

    /// Forgets what `visitor` has used, its refusals and its ban.
    ///
    /// Permits and reservations that are held stay. It needs no plan.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for a policy without rules.
    pub async fn reset(&self, visitor: impl KeyId) -> Result<Report> {
        self.desk(visitor, Task::Reset).await
    }

    /// Refuses every request of `visitor` for so long from now on.
    ///
    /// It replaces a ban that is there, however that came about. The longest ban is 10 years. It needs no plan: if
    /// this process knows none and finds none, the limiter's own policy bans, and what the rules of the plan have
    /// counted may be forgotten.
    ///
    /// # Errors
    /// As those of [`reset`](Self::reset), and [`ErrorKind::Invalid`] for a time below 1 µs or above 10 years.
    pub async fn ban(&self, visitor: impl KeyId, lasts: Duration) -> Result<Report> {
        if !is_span(lasts) {
            return Err(invalid("a ban must last between 1 µs and 10 years"));
        }
        self.desk(visitor, Task::Ban(micros(lasts))).await
    }

    /// Ends a ban of `visitor` and forgets its refusals. What it has used stays.
    ///
    /// # Errors
    /// As those of [`set`](Self::set).
    pub async fn forgive(&self, visitor: impl KeyId) -> Result<Report> {
        self.desk(visitor, Task::Forgive).await
    }

    async fn desk(&self, visitor: impl KeyId, task: Task) -> Result<Report> {
        let key = self.key(visitor);
        let if_unknown = match task {
            Task::Reset | Task::Ban(_) => OwnPolicy::Does,
            Task::Set(_) | Task::Forgive => OwnPolicy::ForgetsUnits,
        };
        match &self.engine_for_desk(&key, if_unknown).await? {
            Engine::Gcra(gcra) => {
                let gcra = gcra.with_cost(1)?;
                let decision = self.programs.run(&key, &DeskTat { gcra, task }).await?;
                Ok(Report::of_one(decision))
            }
            Engine::Usage(plan) => {
                let rules = self.rules_now(plan);
                let answer = self.programs.run(&key, &Desk { rules, task }).await?;
                Ok(Report::of(&answer, plan.args(), 1, Account::Own))
            }
            Engine::Unlimited(_) => Err(invalid(
                "a policy without rules keeps nothing of a visitor: give it a rule",
            )),
        }
    }
}

fn invalid(expected: &'static str) -> Error {
    Error::new("change a rate limit", ErrorKind::Invalid, expected)
}
