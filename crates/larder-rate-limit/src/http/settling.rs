//! Settles a charge once the response is known.

use futures_util::future::{join, join_all};
use http::response::Parts;
use larder_store::{Key, Result};

use super::decider::Decider;
use super::verdict::{Decisions, Held};
use crate::limiter::Engine;
use crate::{Decision, FailMode};

/// Decides, among the extensions of a handler's response, what happens to the request's charge.
///
/// It takes precedence over the functions of a layer that [refunds
/// charges](crate::RateLimitLayer::with_refunds) or [settles
/// costs](crate::RateLimitLayer::with_settled_cost); other layers ignore it. So a sign-in that answers every
/// attempt with the same status can count only its failed attempts.
///
/// It applies to every such limit around the handler. To tell limits apart, put a type of your own among the
/// extensions, and look for it in [`with_refund_if`](crate::RateLimitLayer::with_refund_if).
///
/// ```
/// use http::{Response, StatusCode, header::LOCATION};
/// use larder_rate_limit::Settlement;
///
/// fn answer(is_right: bool) -> http::Result<Response<()>> {
///     let (to, settlement) = match is_right {
///         true => ("/account", Settlement::Refund),
///         false => ("/sign-in", Settlement::Charge),
///     };
///     let response = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, to);
///     response.extension(settlement).body(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Settlement {
    /// The charge stays. A reservation is charged its estimate.
    Charge,
    /// The charge is refunded.
    Refund,
    /// A reservation is charged this many units instead of the estimate. Any other charge stays.
    Cost(u32),
}

/// A charge that can still be given back.
#[derive(Debug)]
pub(super) struct Refundable {
    pub(super) limit: usize,
    /// The visitor's own key.
    pub(super) visitor: Key,
    /// The key of the record that was charged.
    pub(super) charged: Key,
    /// The engine that charged the visitor.
    pub(super) engine: Engine,
    pub(super) decision: Decision,
    pub(super) store: ChargedStore,
}

/// The store that holds the state of the visitor who was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChargedStore {
    /// The limiter's store.
    Shared,
    /// The local one, used while the limiter's store fails.
    Local,
}

/// A response's effect on the charges of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    is_refunded: bool,
    /// The actual cost of reservations. None for the estimate.
    cost: Option<u32>,
}

impl Decider {
    /// Returns the outcome of a response with this head: the handler's [`Settlement`] decides, or without
    /// one the functions of the layer.
    pub(super) fn outcome(&self, head: &Parts) -> Outcome {
        match head.extensions.get() {
            Some(Settlement::Refund) => Outcome {
                is_refunded: true,
                cost: Some(0),
            },
            Some(Settlement::Charge) => Outcome {
                is_refunded: false,
                cost: None,
            },
            Some(Settlement::Cost(units)) => Outcome {
                is_refunded: false,
                cost: Some(*units),
            },
            None => {
                let is_refunded = self.refund_if.as_ref().is_some_and(|it| it.holds(head));
                let cost = self.settle_by.as_ref().and_then(|it| it.cost(head));
                Outcome {
                    is_refunded,
                    cost: if is_refunded { Some(0) } else { cost },
                }
            }
        }
    }

    /// Returns whether such a response leaves work in the store.
    pub(super) fn has_work(&self, held: &Held, outcome: Outcome) -> bool {
        let is_settled = outcome.is_refunded || self.settle_by.is_some();
        !held.reservations.is_empty()
            || (outcome.is_refunded && !held.refundables.is_empty())
            || (is_settled && !held.shadows.is_empty())
    }

    /// Refunds and settles according to a response. `decisions` then has the remaining units.
    pub(super) async fn settle(
        &self,
        held: &mut Held,
        outcome: Outcome,
        decisions: &mut Decisions,
    ) {
        for shadow in std::mem::take(&mut held.shadows) {
            // Sending fails only if the check has failed.
            let _ = shadow.send(outcome);
        }
        let refundables = match outcome.is_refunded {
            true => std::mem::take(&mut held.refundables),
            false => Vec::new(),
        };
        let refunds = refundables.iter().map(|charge| self.give_back(charge));
        let reservations = std::mem::take(&mut held.reservations).into_iter();
        let settlements = reservations.map(async |(limit, key, reservation)| {
            let units = outcome.cost.unwrap_or(reservation.decision().cost());
            let settle = reservation.settle_uncounted(units);
            let answer = self.timeout.run("settle a rate limit", settle).await;
            (limit, key, answer)
        });
        // Concurrently, so that several calls that are not answered take no longer than one.
        let (refunded, settled) = join(join_all(refunds), join_all(settlements)).await;
        for (charge, answer) in refundables.iter().zip(refunded) {
            self.limits[charge.limit].metrics.refunded(answer.is_ok());
            self.settled(charge.limit, answer, decisions, &charge.visitor);
        }
        for (limit, key, answer) in settled {
            let metrics = &self.limits[limit].metrics;
            match outcome.is_refunded {
                true => metrics.refunded(answer.is_ok()),
                false => metrics.settled(answer.is_ok()),
            }
            self.settled(limit, answer, decisions, &key);
        }
    }

    /// Refunds a charge, and waits for the store at most for the timeout.
    pub(super) async fn give_back(&self, charge: &Refundable) -> Result<Decision> {
        let limit = &self.limits[charge.limit];
        let limiter = limit.counting_in(charge.store);
        let Some(back) = limiter.give_back(&charge.visitor, &charge.engine, &charge.decision)
        else {
            return Ok(charge.decision);
        };
        let local = match (charge.store, &self.fail_mode) {
            (ChargedStore::Local, FailMode::Local(local)) => Some(local),
            _ => None,
        };
        match local.map(|local| local.refund(&charge.engine, &charge.charged, &back)) {
            Some(std::task::Poll::Ready(answer)) => answer,
            _ => {
                let refund = limit.limiter.refund_key(&charge.charged, &back);
                self.timeout.run("refund a rate limit", refund).await
            }
        }
    }

    fn settled(
        &self,
        limit: usize,
        answer: Result<Decision>,
        decisions: &mut Decisions,
        visitor: &Key,
    ) {
        self.forget(visitor);
        match answer {
            Ok(decision) => {
                if let Some(of_limit) = decisions.iter_mut().find(|it| it.limit == limit) {
                    of_limit.decision = decision;
                }
            }
            Err(error) => self.limits[limit].metrics.failed(&error),
        }
    }
}
