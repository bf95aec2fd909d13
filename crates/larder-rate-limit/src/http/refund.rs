//! Refunds: which charges are given back once the response is known, and how.

use std::task::Poll;

use http::response::Parts;
use larder_store::{Key, Result};

use super::policy::{Charge, ChargedStore, Policy};
use crate::give_back::GiveBack;
use crate::{Decision, FailMode};

/// Says, among the extensions of a handler's response, what happens to the request's charge.
///
/// It takes precedence over the condition of a layer that
/// [gives charges back](crate::RateLimitLayer::with_refunds); other layers ignore it. A sign-in that
/// answers every attempt with the same status can so have only its failed attempts counted.
///
/// It applies to every limit around the handler that gives charges back. To tell limits apart, put a
/// type of your own among the extensions, and look for it in
/// [`with_refund_if`](crate::RateLimitLayer::with_refund_if).
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
pub enum Settlement {
    /// The charge stays.
    Charge,
    /// The charge is given back.
    Refund,
}

/// A charge that can still be given back.
#[derive(Debug)]
pub(super) struct Refundable {
    key: Key,
    back: GiveBack,
    store: ChargedStore,
}

impl Policy {
    /// Returns what a request that passes may get back, if the layer gives anything back.
    pub(super) fn refundable(&self, key: Key, charge: Option<Charge>) -> Option<Box<Refundable>> {
        self.refund_if.as_ref()?;
        let Charge { decision, store } = charge?;
        let back = self.limiter.give_back(&key, &decision)?;
        Some(Box::new(Refundable {
            key: self.limiter.charged(key, &decision),
            back,
            store,
        }))
    }

    /// Returns whether a response with this head gives the charge of its request back: the handler's
    /// [`Settlement`] decides, or without one the layer's condition.
    pub(super) fn is_refunded(&self, head: &Parts) -> bool {
        match head.extensions.get() {
            Some(Settlement::Refund) => true,
            Some(Settlement::Charge) => false,
            None => {
                let refund_if = self.refund_if.as_ref();
                refund_if.is_some_and(|refund_if| refund_if.holds(head))
            }
        }
    }

    /// Gives a charge back and returns what remains, if the store answers at once. Pending means that
    /// nothing was given back.
    pub(super) fn refund_now(&self, charge: &Refundable) -> Poll<Option<Decision>> {
        let Refundable { key, back, store } = charge;
        let answer = match (store, &self.fail_mode) {
            (ChargedStore::Shared, _) => self.limiter.refund_now(key, back),
            (ChargedStore::Local, FailMode::Local(local)) => local.refund(key, back),
            (ChargedStore::Local, _) => return Poll::Ready(None),
        };
        answer.map(|answer| self.refunded(answer))
    }

    /// Gives a charge back, and waits for the store at most for the timeout.
    pub(super) async fn refund(&self, charge: &Refundable) -> Option<Decision> {
        let refund = self.limiter.refund_key(&charge.key, &charge.back);
        self.refunded(self.timeout.run("refund a rate limit", refund).await)
    }

    fn refunded(&self, answer: Result<Decision>) -> Option<Decision> {
        match answer {
            Ok(decision) => {
                self.metrics.refunded();
                Some(decision)
            }
            Err(error) => {
                self.metrics.refund_lost(&error);
                None
            }
        }
    }
}
