use std::fmt;

use larder_store::{Error, ErrorKind, Key, KeyId, Result};

use super::{Grant, Hold, Takes};
use crate::limiter::Engine;
use crate::{Decision, RateLimiter};

/// Units that are set aside until it is known how many a request uses.
///
/// They count as used until they are settled or the TTL of the policy's
/// [reservations](crate::Policy::with_reservations) has passed. A reservation that is dropped or lost ends with
/// that TTL, and then costs nothing.
#[must_use = "a reservation that is not settled ends with its TTL"]
pub struct Reservation {
    decision: Decision,
    /// None if no rule limits anything.
    hold: Option<Hold>,
}

impl Reservation {
    /// Takes over units that are set aside: from now on the caller settles them.
    pub(crate) fn new(decision: Decision, mut hold: Option<Hold>) -> Self {
        if let Some(hold) = &mut hold {
            hold.is_armed = false;
        }
        Self { decision, hold }
    }

    /// Returns the decision that granted the reservation.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Charges `actual` units instead of those reserved. Returns the decision that a request would get now.
    ///
    /// `actual` may exceed the reservation, and even what is left: the visitor is then in debt, and waits until
    /// that is paid off. Under each rule a debt is at most the limit, or the burst of a [`Quota`](crate::Quota).
    /// The actual use is charged even if the reservation has ended meanwhile. One round trip.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`] the units may have been charged, once; if not, the
    /// reservation ends with its TTL.
    ///
    /// # Cancellation
    /// The units may or may not have been charged.
    pub async fn settle(self, actual: u32) -> Result<Decision> {
        let answer = self.settle_uncounted(actual).await;
        if let Some(hold) = &self.hold {
            hold.limiter.metrics.settled(answer.is_ok());
        }
        answer
    }

    /// Does the same for a caller that counts it itself.
    pub(crate) async fn settle_uncounted(&self, actual: u32) -> Result<Decision> {
        match &self.hold {
            Some(hold) => {
                let (decision, _) = hold.settle(0, i64::from(actual)).await?;
                Ok(decision)
            }
            None => Ok(self.decision),
        }
    }

    /// Releases the reservation without a charge. One round trip.
    ///
    /// # Errors
    /// Those of [`settle`](Self::settle).
    ///
    /// # Cancellation
    /// The reservation may or may not have been released; if not, it ends with its TTL.
    pub async fn cancel(self) -> Result<Decision> {
        let answer = self.settle_uncounted(0).await;
        if let Some(hold) = &self.hold {
            hold.limiter.metrics.refunded(answer.is_ok());
        }
        answer
    }

    /// Extends the reservation to its whole TTL from now on. Returns whether it was still there. One round
    /// trip.
    ///
    /// # Errors
    /// Those of the store. The reservation then keeps its previous end.
    ///
    /// # Cancellation
    /// The reservation may or may not have been extended.
    pub async fn renew(&self) -> Result<bool> {
        match &self.hold {
            Some(hold) => Ok(hold.settle(hold.lease_us, 0).await?.1),
            None => Ok(true),
        }
    }
}

impl RateLimiter {
    /// Sets `estimate` units of `visitor` aside, if it has that many left.
    ///
    /// The policy must allow it, by [`Policy::with_reservations`](crate::Policy::with_reservations).
    /// [`Reservation::settle`] then charges the actual use. One round trip, or none in process.
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
    ///     let _ = reservation.settle(answer.tokens).await?;
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
        let key = self.key(visitor);
        let engine = self.engine_of(&key).await;
        let answer = self.reserve_by(&engine, &key, estimate).await;
        self.counted(answer, |grant| match grant {
            Grant::Held(reservation) => reservation.decision,
            Grant::Refused(decision) => *decision,
        })
    }

    /// Sets units aside of a visitor that `engine` counts.
    pub(crate) async fn reserve_by(
        &self,
        engine: &Engine,
        key: &Key,
        estimate: u32,
    ) -> Result<Grant<Reservation>> {
        if !engine.has_reservations() && !matches!(engine, Engine::Unlimited(_)) {
            return Err(Error::new(
                "reserve units of a rate limit",
                ErrorKind::Invalid,
                "the policy has no reservations: allow them by Policy::with_reservations",
            ));
        }
        let takes = Takes::Reservation;
        let (decision, hold) = self.take(engine, key, estimate, takes).await?;
        Ok(match decision.is_allowed() {
            true => Grant::Held(Reservation::new(decision, hold)),
            false => Grant::Refused(decision),
        })
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").finish_non_exhaustive()
    }
}
