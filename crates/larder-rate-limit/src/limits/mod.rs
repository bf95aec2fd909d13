//! Several limiters in one call: all of them are charged, or none.

mod give_back;
mod step;

use std::sync::Arc;

use larder_layer::StoreTimeout;
use larder_store::{Key, KeyId, Result};
use tokio::time::{Instant, timeout_at};

use crate::hold::{Hold, Takes};
use crate::limiter::Engine;
use crate::{Decision, RateLimiter};
use give_back::{give_back, give_back_now, in_background};
use step::{Step, run_now, run_together};

/// Several limiters that a request must pass, each with its visitor.
///
/// If one refuses, none is charged. Put rules for one visitor into one [`Policy`](crate::Policy), which is one
/// step; `Limits` is for visitors that differ, such as an address and an account. Their records may be on
/// different nodes of a cluster, where no step spans both. So each limiter takes its own step, all in one round trip.
/// If one refuses, what the others charged is given back in another round trip.
///
/// Between the two, another request may be refused because of a charge that is then given back. No request is ever
/// let in past a limit.
///
/// ```
/// # use std::net::IpAddr;
/// use larder_rate_limit::{Limits, RateLimiter};
///
/// # async fn sign_in(
/// #     by_address: &RateLimiter, by_account: &RateLimiter, address: &str, account: &str,
/// # ) -> larder_store::Result<bool> {
/// let decisions = Limits::new()
///     .with(by_address, address)
///     .with(by_account, account)
///     .check()
///     .await?;
/// if let Some((policy, decision)) = decisions.refused() {
///     println!("{policy}: again in {:?}", decision.retry_after());
/// }
/// # Ok(decisions.is_allowed())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Limits<'a> {
    asked: Vec<Asked<'a>>,
}

#[derive(Clone, Debug)]
struct Asked<'a> {
    limiter: &'a RateLimiter,
    key: Key,
    /// The engine that counts the visitor. None if it is not known yet.
    engine: Option<Engine>,
    cost: u32,
    takes: Takes,
}

impl<'a> Limits<'a> {
    /// Makes an empty list, which allows everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a limiter and its visitor, at the limiter's own [cost](RateLimiter::with_cost).
    #[must_use]
    pub fn with(self, limiter: &'a RateLimiter, visitor: impl KeyId) -> Self {
        self.with_cost(limiter, visitor, limiter.cost())
    }

    /// Adds a limiter, its visitor and the number of units to charge.
    #[must_use]
    pub fn with_cost(mut self, limiter: &'a RateLimiter, visitor: impl KeyId, cost: u32) -> Self {
        self.asked.push(Asked {
            limiter,
            key: limiter.key(visitor),
            engine: None,
            cost,
            takes: Takes::Nothing,
        });
        self
    }

    /// Adds a limiter with the key of its visitor, whom `engine` counts, and what the request takes in addition.
    pub(crate) fn with_key(
        mut self,
        limiter: &'a RateLimiter,
        key: Key,
        engine: Engine,
        cost: u32,
        takes: Takes,
    ) -> Self {
        self.asked.push(Asked {
            limiter,
            key,
            engine: Some(engine),
            cost,
            takes,
        });
        self
    }

    /// Charges all of them, or none.
    ///
    /// It takes one round trip for the limiters that share a store, and one more if one of them refuses. In
    /// process it takes none.
    ///
    /// # Errors
    /// Those of the stores: what was charged is then given back, as far as the stores answer. Otherwise those of
    /// [`RateLimiter::check`].
    ///
    /// # Cancellation
    /// Charges that are known are given back in the background. A visitor whose store has not answered yet may or
    /// may not have been charged.
    pub async fn check(&self) -> Result<Decisions> {
        let answer = self.decide(None).await;
        self.count(&answer);
        answer.map(|(decisions, _)| decisions)
    }

    /// Does the same for a layer, which counts the decisions itself, and waits no longer than this for all of it.
    /// Also returns what the request has taken from each limiter.
    ///
    /// A refusal counts even if another store fails, or what is given back takes longer.
    pub(crate) async fn decide(
        &self,
        within: Option<StoreTimeout>,
    ) -> Result<(Decisions, Vec<Taken>)> {
        let mut steps = Vec::with_capacity(self.asked.len());
        for asked in &self.asked {
            steps.push(Step::new(asked).await?);
        }
        let mut steps = Undecided(steps);
        let mut deadline = None;
        if run_now(&mut steps.0) && steps.0.iter().any(Step::is_open) {
            deadline = within.map(|within| Instant::now() + within.limit());
            run_together(&mut steps.0, within).await;
        }
        let mut steps = std::mem::take(&mut steps.0);
        let is_refused = steps.iter().any(Step::is_refused);
        let error = match is_refused {
            // The answers of the others are not needed.
            true => None,
            false => steps.iter_mut().find_map(Step::error),
        };
        if is_refused || error.is_some() {
            let left = give_back_now(&mut steps);
            match (in_background(left), deadline) {
                (Ok(task), None) => drop(task.await),
                // The task goes on when the time is up.
                (Ok(task), Some(deadline)) => drop(timeout_at(deadline, task).await),
                (Err(left), _) => give_back(left).await,
            }
        }
        match error {
            Some(error) => Err(error),
            None => {
                let (each, taken) = steps.into_iter().map(Step::decided).unzip();
                Ok((Decisions { each }, taken))
            }
        }
    }

    /// Counts the decisions of each limiter, except of those that let a request pass which another one refused:
    /// those are not charged.
    fn count(&self, answer: &Result<(Decisions, Vec<Taken>)>) {
        match answer {
            Ok((decisions, taken)) => {
                let is_allowed = decisions.is_allowed();
                let each = self.asked.iter().zip(decisions.in_order()).zip(taken);
                for ((asked, decision), taken) in each {
                    if let Err(error) = taken {
                        asked.limiter.count_failure(error);
                    }
                    if let Some(decision) = decision.filter(|it| it.is_allowed() == is_allowed) {
                        asked.limiter.count(&decision);
                    }
                }
            }
            Err(error) => {
                let each = self.asked.iter();
                each.for_each(|asked| asked.limiter.count_failure(error));
            }
        }
    }
}

/// What a request has taken from a limiter, or why the limiter has not decided though another one refuses.
pub(crate) type Taken = Result<Option<Hold>>;

/// Steps whose outcome has not been used yet. Dropping them gives back what they have charged.
struct Undecided<'a>(Vec<Step<'a>>);

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        // Without a runtime the charges expire by themselves.
        let _ = in_background(give_back_now(&mut self.0));
    }
}

/// The combined decision of several limiters.
#[derive(Clone, Debug)]
#[must_use = "a refused request must not be served"]
pub struct Decisions {
    each: Vec<(Arc<str>, Option<Decision>)>,
}

impl Decisions {
    /// Returns whether the request passes all limiters.
    pub fn is_allowed(&self) -> bool {
        self.refused().is_none()
    }

    /// Returns the limiter that makes the request wait longest, by its policy's name. None if the request passes.
    pub fn refused(&self) -> Option<(&str, Decision)> {
        let refused = self.each().filter(|(_, decision)| !decision.is_allowed());
        refused.max_by_key(|(_, decision)| decision.retry_after())
    }

    /// Returns the decision of each limiter, in order. None for one that was not asked.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Option<Decision>> {
        self.each.iter().map(|(_, decision)| *decision)
    }

    /// Returns the decision of each limiter that was asked, in order, with its policy's name.
    ///
    /// After a refusal, those that had allowed and charged the request still say so, though the charge was given
    /// back.
    pub fn each(&self) -> impl Iterator<Item = (&str, Decision)> {
        let each = self.each.iter();
        each.filter_map(|(policy, decision)| Some((&**policy, (*decision)?)))
    }
}
