//! Checks: charging a visitor, looking without a charge, and refunding a charge.

use std::task::Poll;

use larder_store::program::Programs;
use larder_store::{Key, KeyId, Result};

use crate::decision::Account;
use crate::give_back::GiveBack;
use crate::limiter::Engine;
use crate::plan::Plan;
use crate::program::Peek;
use crate::{Decision, Gcra, RateLimiter, Report, plans, usage};

impl RateLimiter {
    /// Charges `visitor` for one request, unless it has used up its quota.
    ///
    /// It takes one round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the visitor may
    /// have been charged, once. [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if a rule limits
    /// concurrency: then [`acquire`](Self::acquire) a permit instead.
    ///
    /// # Cancellation
    /// The visitor may or may not have been charged.
    pub async fn check(&self, visitor: impl KeyId) -> Result<Decision> {
        let key = self.key(visitor);
        let answer = self.check_key(&key).await;
        self.counted(answer, |decision| *decision)
    }

    /// Charges `visitor` `cost` units, instead of the limiter's own [cost](Self::with_cost).
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the cost is 0 or more than the burst.
    ///
    /// # Cancellation
    /// As for [`check`](Self::check).
    pub async fn check_cost(&self, visitor: impl KeyId, cost: u32) -> Result<Decision> {
        Ok(self.report_of(visitor, cost).await?.decision())
    }

    /// Does the same as [`check`](Self::check), and returns the decision of each rule.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    ///
    /// # Cancellation
    /// As for [`check`](Self::check).
    pub async fn check_rules(&self, visitor: impl KeyId) -> Result<Report> {
        self.report_of(visitor, self.cost()).await
    }

    async fn report_of(&self, visitor: impl KeyId, cost: u32) -> Result<Report> {
        let key = self.key(visitor);
        let answer = self.report_key(&key, cost).await;
        self.counted(answer, Report::decision)
    }

    /// Returns what [`check`](Self::check) would decide now, and charges nothing.
    ///
    /// It takes one round trip, or none in process. For a visitor who would have to [share a
    /// quota](Decision::is_shared), it answers as if the visitor had a quota of its own.
    ///
    /// # Errors
    /// Those of [`inspect`](Self::inspect).
    pub async fn peek(&self, visitor: impl KeyId) -> Result<Decision> {
        Ok(self.inspect(visitor).await?.decision())
    }

    /// Returns what [`check`](Self::check) would decide now, with each rule, any ban and the number of holds.
    ///
    /// It charges nothing, and takes one round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the limiter's own
    /// [cost](Self::with_cost) is more than the burst of the visitor's [plan](crate::Plans).
    pub async fn inspect(&self, visitor: impl KeyId) -> Result<Report> {
        self.inspect_key(&self.key(visitor)).await
    }

    pub(crate) async fn inspect_key(&self, key: &Key) -> Result<Report> {
        match &self.engine_to_look(key).await {
            Engine::Gcra(gcra) => {
                let decision = self.programs.run(key, &Peek(*gcra)).await?;
                Ok(Report::of_one(decision.costing(self.cost())))
            }
            Engine::Unlimited(_) => Ok(Report::of_one(Decision::unlimited(self.cost()))),
            Engine::Usage(plan) => {
                plan.check_cost(self.cost())?;
                let peek = usage::Peek {
                    rules: self.rules_now(plan),
                    cost: i64::from(self.cost()),
                    holds: plan.lease_us.is_some(),
                };
                let answer = self.programs.run(key, &peek).await?;
                Ok(Report::of(
                    &answer,
                    &peek.rules.rules,
                    self.cost(),
                    Account::Own,
                ))
            }
        }
    }

    /// Gives back what [`check`](Self::check) charged `visitor` by `decision`.
    ///
    /// Use it to count only failures: a guess at a password is charged before the password is compared, and
    /// refunded if it was right. Returns the decision that the same request would get now. It takes one round
    /// trip, or none in process or if the decision charged nothing.
    ///
    /// Units that have become available again in the meantime are not given back twice. Call it once for a decision, on
    /// the limiter that decided: a second call gives back the charge of another request.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use larder_rate_limit::{Decision, RateLimiter};
    /// # async fn matches(password: &str) -> bool { true }
    ///
    /// async fn guess(limiter: &RateLimiter, account: &str, password: &str) -> larder_store::Result<bool> {
    ///     let decision = limiter.check(account).await?;
    ///     let is_right = decision.is_allowed() && matches(password).await;
    ///     if is_right {
    ///         // A lost refund costs the account one attempt, until that comes back by itself.
    ///         let _ = limiter.refund(account, decision).await;
    ///     }
    ///     Ok(is_right)
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::NotSent`](larder_store::ErrorKind::NotSent) if the visitor's
    /// [plan](crate::Plans) is no longer known and cannot be found, or has changed since a charge of a [shared
    /// quota](Decision::is_shared). The visitor then stays charged; after
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the refund may have been made. It is never
    /// sent twice.
    ///
    /// # Cancellation
    /// The refund may or may not have been made.
    pub async fn refund(&self, visitor: impl KeyId, decision: Decision) -> Result<Decision> {
        let key = self.key(visitor);
        if !decision.is_charged() {
            return Ok(decision);
        }
        let answer = self.refund_charged(key, decision).await;
        self.metrics.refunded(answer.is_ok());
        answer
    }

    async fn refund_charged(&self, key: Key, decision: Decision) -> Result<Decision> {
        let engine = self.engine_charged(&key).await?;
        match GiveBack::of(self, &engine, &decision)? {
            Some(_) if self.charged_by_other_rules(&decision, &engine) => Err(plans::changed()),
            Some(back) => {
                let key = self.charged(key, &decision);
                self.refund_key(&key, &back).await
            }
            None => Ok(decision),
        }
    }

    pub(crate) async fn check_key(&self, key: &Key) -> Result<Decision> {
        match self.check_now(key) {
            Poll::Ready(answer) => answer,
            Poll::Pending => match &self.engine {
                Engine::Gcra(gcra) => {
                    let decision = self.programs.run(key, gcra).await?;
                    Ok(decision.costing(self.cost()))
                }
                _ => Ok(self.report_key(key, self.cost()).await?.decision()),
            },
        }
    }

    /// Charges the visitor with `key`, and returns the decision of each rule.
    pub(crate) async fn report_key(&self, key: &Key, cost: u32) -> Result<Report> {
        let engine = self.engine_of(key).await;
        self.report_by(&engine, key, cost).await
    }

    /// Does the same for a visitor that `engine` counts.
    pub(crate) async fn report_by(&self, engine: &Engine, key: &Key, cost: u32) -> Result<Report> {
        match engine {
            Engine::Unlimited(_) => Ok(Report::of_one(Decision::unlimited(cost))),
            Engine::Gcra(gcra) => {
                let gcra = gcra.with_cost(cost)?;
                let (decision, account) = self.run(key, &gcra).await?;
                let decision = Decision {
                    account,
                    ..decision.costing(cost)
                };
                Ok(Report::of_one(decision))
            }
            Engine::Usage(plan) => {
                let charge = self.charge(plan, cost)?;
                let (answer, account) = self.run(key, &charge).await?;
                Ok(Report::of(&answer, &charge.rules.rules, cost, account))
            }
        }
    }

    fn check_now(&self, key: &Key) -> Poll<Result<Decision>> {
        match self.engine_now(key) {
            Some(engine) => self.check_by(&engine, &*self.programs, key, self.cost()),
            None => Poll::Pending,
        }
    }

    /// Charges a visitor that `engine` counts, in a store that answers at once.
    ///
    /// Pending means that nothing was charged.
    #[inline]
    pub(crate) fn check_by(
        &self,
        engine: &Engine,
        programs: &dyn Programs,
        key: &Key,
        cost: u32,
    ) -> Poll<Result<Decision>> {
        match engine {
            Engine::Gcra(gcra) => self.check_gcra(gcra, programs, key, cost),
            Engine::Unlimited(_) => Poll::Ready(Ok(Decision::unlimited(cost))),
            Engine::Usage(plan) => self.check_plan(plan, programs, key, cost),
        }
    }

    fn check_plan(
        &self,
        plan: &Plan,
        programs: &dyn Programs,
        key: &Key,
        cost: u32,
    ) -> Poll<Result<Decision>> {
        if plan.lease_us.is_some() {
            // It takes a permit.
            return Poll::Pending;
        }
        let charge = match self.charge(plan, cost) {
            Ok(charge) => charge,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let run = self.run_now(programs, key, &charge);
        run.map_ok(|(answer, account)| Decision {
            account,
            ..answer.charged(&charge.rules.rules, cost)
        })
    }

    #[inline]
    fn check_gcra(
        &self,
        gcra: &Gcra,
        programs: &dyn Programs,
        key: &Key,
        cost: u32,
    ) -> Poll<Result<Decision>> {
        let other;
        let gcra = match cost == self.cost() {
            true => gcra,
            false => match gcra.with_cost(cost) {
                Ok(gcra) => {
                    other = gcra;
                    &other
                }
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        match self.run_now(programs, key, gcra) {
            Poll::Ready(Ok((mut decision, account))) => {
                decision.account = account;
                decision.cost = cost;
                Poll::Ready(Ok(decision))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
