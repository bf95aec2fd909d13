//! What a visitor holds for a while: permits and reservations.

use std::fmt;
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Key, KeyId, Result};
use tokio::runtime::Handle;

use crate::limiter::Engine;
use crate::plan::Plan;
use crate::usage::{Answer, HoldArgs, Settle, SettleArgs};
use crate::{Decision, RateLimiter};

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

/// A place among the requests that a [concurrency rule](crate::Rule::concurrency) serves at once.
///
/// It comes back when it is dropped: after the response, if the client leaves, and after a panic. A process that
/// dies gives it back when its lease ends. Over a network the drop sends one step in the background, in the
/// runtime that it is dropped in; without one the lease ends.
#[must_use = "a permit that is dropped comes back at once"]
pub struct Permit {
    decision: Decision,
    /// None if no rule limits concurrency.
    hold: Option<Hold>,
}

impl Permit {
    /// Returns the decision that granted it.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Holds it for its whole lease from now on. Returns whether it was still held. One round trip.
    ///
    /// # Errors
    /// Those of the store. The permit then ends as it would have.
    pub async fn renew(&self) -> Result<bool> {
        match &self.hold {
            Some(hold) => Ok(hold.settle(hold.lease_us, 0).await?.says == 1),
            None => Ok(true),
        }
    }

    /// Gives it back now. Returns whether it was still held. One round trip.
    ///
    /// # Errors
    /// Those of the store. The permit then ends with its lease.
    ///
    /// # Cancellation
    /// It is given back in the background.
    pub async fn release(mut self) -> Result<bool> {
        let Some(hold) = &mut self.hold else {
            return Ok(true);
        };
        let was_held = hold.settle(0, 0).await?.says == 1;
        hold.is_armed = false;
        Ok(was_held)
    }
}

/// Units that are set aside until it is known how many a request uses.
///
/// They count as used, until they are settled or the TTL of the policy's
/// [reservations](crate::Policy::with_reservations) is over. A reservation that is dropped or lost ends by that
/// TTL, and then costs nothing.
#[must_use = "a reservation that is not settled ends with its TTL"]
pub struct Reservation {
    decision: Decision,
    /// None if no rule limits anything.
    hold: Option<Hold>,
}

impl Reservation {
    /// Returns the decision that granted it.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Charges `actual` units in place of those reserved. Returns what a request would be told now.
    ///
    /// It may be more than was reserved, and more than what is left: the visitor is then in debt, and waits
    /// until that is paid off. A debt is at most the limit of a rule once more. What was really used is also
    /// charged if the reservation has ended meanwhile. One round trip.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`] it may have been charged, once; if it was not,
    /// the reservation ends with its TTL.
    ///
    /// # Cancellation
    /// It may or may not have been charged.
    pub async fn settle(self, actual: u32) -> Result<Decision> {
        match &self.hold {
            Some(hold) => {
                let answer = hold.settle(0, i64::from(actual)).await?;
                Ok(answer.decision(hold.plan.args(), 1))
            }
            None => Ok(self.decision),
        }
    }

    /// Charges nothing, and gives back what was reserved.
    ///
    /// # Errors
    /// As those of [`settle`](Self::settle).
    pub async fn cancel(self) -> Result<Decision> {
        self.settle(0).await
    }

    /// Keeps it for its whole TTL from now on. Returns whether it was still there. One round trip.
    ///
    /// # Errors
    /// Those of the store. The reservation then ends as it would have.
    pub async fn renew(&self) -> Result<bool> {
        match &self.hold {
            Some(hold) => Ok(hold.settle(hold.lease_us, 0).await?.says == 1),
            None => Ok(true),
        }
    }
}

impl RateLimiter {
    /// Charges `visitor` for one request and takes its place among those that are served at once.
    ///
    /// Keep the permit until the response has ended. A policy without a
    /// [concurrency rule](crate::Rule::concurrency) grants a permit that holds nothing. One round trip, or none
    /// in process.
    ///
    /// # Errors
    /// As those of [`check`](Self::check). After [`ErrorKind::MayHaveRun`] a place that may have been taken is
    /// given back in the background.
    ///
    /// # Cancellation
    /// A place that may have been taken is given back in the background. The visitor may have been charged.
    pub async fn acquire(&self, visitor: impl KeyId) -> Result<Grant<Permit>> {
        self.acquire_key(&self.key(visitor)).await
    }

    pub(crate) async fn acquire_key(&self, key: &Key) -> Result<Grant<Permit>> {
        let engine = self.engine_of(key).await;
        if let Engine::Usage(plan) = &engine
            && let Some(lease_us) = plan.lease_us
        {
            let granted = self.hold(key, plan, self.cost(), lease_us, 0).await?;
            return Ok(match granted {
                (decision, Some(hold)) => Grant::Held(Permit {
                    decision,
                    hold: Some(hold),
                }),
                (decision, None) => Grant::Refused(decision),
            });
        }
        let decision = self.report_key(key, self.cost()).await?.decision();
        Ok(match decision.is_allowed() {
            true => Grant::Held(Permit {
                decision,
                hold: None,
            }),
            false => Grant::Refused(decision),
        })
    }

    /// Sets `estimate` units of `visitor` aside, if it has as many left.
    ///
    /// The policy must allow it, by [`Policy::with_reservations`](crate::Policy::with_reservations).
    /// [`Reservation::settle`] then charges what was really used. One round trip, or none in process.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use std::time::Duration;
    /// use larder_rate_limit::{Grant, Policy, Quota, RateLimiter};
    ///
    /// # struct Answer { tokens: u32 }
    /// # async fn ask_the_model(prompt: &str) -> Answer { Answer { tokens: 7 } }
    /// # fn tokens(store: Arc<dyn larder_store::Store>) -> larder_store::Result<RateLimiter> {
    /// let policy = Policy::new(Quota::per_minute(20_000)).with_reservations(Duration::from_secs(120));
    /// RateLimiter::new(store, "tokens", policy)
    /// # }
    /// # async fn answer(tokens: &RateLimiter, tenant: &str, prompt: &str) -> larder_store::Result<()> {
    /// if let Grant::Held(reservation) = tokens.reserve(tenant, 1_000).await? {
    ///     let answer = ask_the_model(prompt).await;
    ///     reservation.settle(answer.tokens).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the policy has no reservations or the estimate is 0 or
    /// more than the burst. After [`ErrorKind::MayHaveRun`] what may have been reserved is given back in the
    /// background.
    ///
    /// # Cancellation
    /// What may have been reserved is given back in the background.
    pub async fn reserve(&self, visitor: impl KeyId, estimate: u32) -> Result<Grant<Reservation>> {
        self.reserve_key(&self.key(visitor), estimate).await
    }

    pub(crate) async fn reserve_key(&self, key: &Key, estimate: u32) -> Result<Grant<Reservation>> {
        match &self.engine_of(key).await {
            Engine::Unlimited(_) => Ok(Grant::Held(Reservation {
                decision: Decision::unlimited(estimate),
                hold: None,
            })),
            Engine::Usage(plan) if plan.reservation_us.is_some() => {
                let ttl_us = plan.reservation_us.unwrap_or_default();
                let granted = self.hold(key, plan, 0, ttl_us, estimate).await?;
                Ok(match granted {
                    (decision, Some(mut hold)) => {
                        // From now on it is the caller's to settle.
                        hold.is_armed = false;
                        let hold = Some(hold);
                        Grant::Held(Reservation { decision, hold })
                    }
                    (decision, None) => Grant::Refused(decision),
                })
            }
            _ => Err(Error::new(
                "reserve units of a rate limit",
                ErrorKind::Invalid,
                "the policy has no reservations: allow them by Policy::with_reservations",
            )),
        }
    }

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
        let charge = crate::usage::Charge {
            rules: self.rules_now(plan),
            cost: i64::from(cost),
            hold: HoldArgs {
                id,
                hold_us: lease_us,
                units: i64::from(units),
            },
            ban: plan.ban,
        };
        // Whatever ends this before somebody takes over, what was taken is given back.
        let mut hold = Hold {
            limiter: self.clone(),
            plan: plan.clone(),
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
    plan: Arc<Plan>,
    key: Key,
    id: i64,
    lease_us: i64,
    is_armed: bool,
}

impl Hold {
    fn settlement(&self, hold_us: i64, actual: i64) -> Settle {
        Settle {
            rules: self.limiter.rules_now(&self.plan),
            settlement: SettleArgs {
                id: self.id,
                hold_us,
                actual,
                ..SettleArgs::default()
            },
        }
    }

    async fn settle(&self, hold_us: i64, actual: i64) -> Result<Answer> {
        let settle = self.settlement(hold_us, actual);
        self.limiter.programs.run(&self.key, &settle).await
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

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").finish_non_exhaustive()
    }
}
