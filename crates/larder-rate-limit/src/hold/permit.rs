use std::fmt;

use larder_store::{Key, KeyId, Result};

use super::{Grant, Hold, Takes};
use crate::limiter::Engine;
use crate::{Decision, RateLimiter};

/// A slot of a [concurrency rule](crate::Rule::concurrency), held while a request is served.
///
/// It is released when it is dropped: after the response, if the client disconnects, and after a panic. If a
/// process dies, its permits are released when their leases end. Over a network the drop sends one step in the
/// background, in the runtime in which it is dropped; without a runtime the lease ends.
#[must_use = "a permit that is dropped comes back at once"]
pub struct Permit {
    decision: Decision,
    /// None if no rule limits concurrency.
    hold: Option<Hold>,
}

impl Permit {
    pub(crate) fn new(decision: Decision, hold: Option<Hold>) -> Self {
        Self { decision, hold }
    }

    /// Returns the decision that granted the permit.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Extends the permit to its whole lease from now on. Returns whether it was still held. One round trip.
    ///
    /// # Errors
    /// Those of the store. The permit then keeps its previous end.
    ///
    /// # Cancellation
    /// The permit may or may not have been extended.
    pub async fn renew(&self) -> Result<bool> {
        match &self.hold {
            Some(hold) => Ok(hold.settle(hold.lease_us, 0).await?.1),
            None => Ok(true),
        }
    }

    /// Gives the permit back now. Returns whether it was still held. One round trip.
    ///
    /// # Errors
    /// Those of the store. The permit is then given back once more in the background; if that fails too, it ends
    /// with its lease.
    ///
    /// # Cancellation
    /// The permit is given back in the background.
    pub async fn release(mut self) -> Result<bool> {
        let Some(hold) = &mut self.hold else {
            return Ok(true);
        };
        let (_, was_held) = hold.settle(0, 0).await?;
        hold.is_armed = false;
        Ok(was_held)
    }
}

impl Grant<Permit> {
    /// Returns the decision, whatever it is.
    pub(crate) fn decision(&self) -> Decision {
        match self {
            Self::Held(permit) => permit.decision,
            Self::Refused(decision) => *decision,
        }
    }
}

impl RateLimiter {
    /// Charges `visitor` for one request, and takes a slot of its concurrency rule.
    ///
    /// Keep the permit until the response has ended. A policy without a [concurrency
    /// rule](crate::Rule::concurrency) grants a permit that holds nothing. One round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the visitor may have
    /// been charged, once, and a slot that may have been taken is released in the background.
    ///
    /// # Cancellation
    /// A slot that may have been taken is released in the background. The visitor may have been charged.
    pub async fn acquire(&self, visitor: impl KeyId) -> Result<Grant<Permit>> {
        let key = self.key(visitor);
        let answer = self.acquire_key(&key, self.cost()).await;
        self.counted(answer, Grant::<Permit>::decision)
    }

    pub(crate) async fn acquire_key(&self, key: &Key, cost: u32) -> Result<Grant<Permit>> {
        let engine = self.engine_of(key).await;
        self.acquire_by(&engine, key, cost).await
    }

    /// Acquires a permit of a visitor that `engine` counts.
    pub(crate) async fn acquire_by(
        &self,
        engine: &Engine,
        key: &Key,
        cost: u32,
    ) -> Result<Grant<Permit>> {
        let takes = match engine.has_concurrency() {
            true => Takes::Permit,
            false => Takes::Nothing,
        };
        let (decision, hold) = self.take(engine, key, cost, takes).await?;
        Ok(match decision.is_allowed() {
            true => Grant::Held(Permit::new(decision, hold)),
            false => Grant::Refused(decision),
        })
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
