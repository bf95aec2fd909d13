//! Operations of the support desk on one visitor.

use std::time::Duration;

use larder_store::{Error, ErrorKind, Key, KeyId, Result};

use crate::decision::Account;
use crate::limiter::{Engine, OwnPolicy};
use crate::plan::micros;
use crate::policy::is_span;
use crate::program::DeskTat;
use crate::usage::{Desk, Task};
use crate::{RateLimiter, Report};

/// Calls for operators. Each takes one round trip, or none in process, and returns the decision that a request
/// of the visitor for one unit would get now.
///
/// For a visitor with a [plan](crate::Plans) each call looks up the plan again, and uses the last one if that fails.
///
/// # Cancellation
/// A dropped call may or may not have taken effect.
impl RateLimiter {
    /// Sets how many units `visitor` has used of each rule, from now on.
    ///
    /// A single quota counts at most its burst, and each rule of a policy at most twice its limit or burst.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for a policy without rules. [`ErrorKind::NotSent`] if this
    /// process neither knows nor finds the visitor's plan: then nothing is changed.
    pub async fn set(&self, visitor: impl KeyId, used: u32) -> Result<Report> {
        self.desk(self.key(visitor), Task::Set(i64::from(used)))
            .await
    }

    /// Forgets what `visitor` has used, its refusals and its ban.
    ///
    /// Permits and reservations that are held stay. The call needs no plan.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for a policy without rules.
    pub async fn reset(&self, visitor: impl KeyId) -> Result<Report> {
        self.desk(self.key(visitor), Task::Reset).await
    }

    /// Refuses every request of `visitor` for this long from now on.
    ///
    /// It replaces an existing ban, whatever its cause. The longest ban is 10 years. The call needs no plan: if
    /// this process neither knows nor finds one, the limiter's own policy bans, and what the rules of the plan
    /// have counted may be forgotten.
    ///
    /// # Errors
    /// Those of [`reset`](Self::reset), and [`ErrorKind::Invalid`] for a time below 1 µs or above 10 years.
    pub async fn ban(&self, visitor: impl KeyId, lasts: Duration) -> Result<Report> {
        self.ban_record(self.key(visitor), lasts).await
    }

    /// Bans the visitor whose record has this key, such as a key that [`NamedVisitor`](crate::NamedVisitor)
    /// returns.
    ///
    /// # Errors
    /// Those of [`ban`](Self::ban), and [`ErrorKind::Invalid`] for a key of another policy.
    pub async fn ban_record(&self, key: Key, lasts: Duration) -> Result<Report> {
        if !is_span(lasts) {
            return Err(invalid("a ban must last between 1 µs and 10 years"));
        }
        self.check_own(&key)?;
        self.desk(key, Task::Ban(micros(lasts))).await
    }

    /// Ends a ban of `visitor` and forgets its refusals. Its used units stay.
    ///
    /// # Errors
    /// Those of [`set`](Self::set).
    pub async fn forgive(&self, visitor: impl KeyId) -> Result<Report> {
        self.forgive_record(self.key(visitor)).await
    }

    /// Ends a ban of the visitor whose record has this key.
    ///
    /// # Errors
    /// Those of [`forgive`](Self::forgive), and [`ErrorKind::Invalid`] for a key of another policy.
    pub async fn forgive_record(&self, key: Key) -> Result<Report> {
        self.check_own(&key)?;
        self.desk(key, Task::Forgive).await
    }

    /// Refuses a key of another policy, or of another kind of record.
    fn check_own(&self, key: &Key) -> Result<()> {
        let own = self.key(0_u8);
        match key.kind() == own.kind() && key.partition() == Some(self.policy()) {
            true => Ok(()),
            false => Err(invalid("the key must belong to this policy")),
        }
    }

    async fn desk(&self, key: Key, task: Task) -> Result<Report> {
        let if_unknown = match task {
            Task::Reset | Task::Ban(_) => OwnPolicy::Does,
            Task::Set(_) | Task::Forgive => OwnPolicy::ForgetsUnits,
        };
        match &self.engine_for_desk(&key, if_unknown).await? {
            Engine::Gcra(gcra) => {
                let gcra = gcra.with_cost(1)?;
                let decision = self.programs.run(&key, &DeskTat { gcra, task }).await?;
                Ok(Report::of_one(decision.costing(1)))
            }
            Engine::Usage(plan) => {
                let rules = self.rules_now(plan);
                let answer = self.programs.run(&key, &Desk { rules, task }).await?;
                Ok(Report::of(&answer, plan.args(), 1, Account::Own))
            }
            Engine::Unlimited(_) => Err(invalid(
                "a policy without rules keeps no record of a visitor: give it a rule",
            )),
        }
    }
}

fn invalid(expected: &'static str) -> Error {
    Error::new("change a rate limit", ErrorKind::Invalid, expected)
}
