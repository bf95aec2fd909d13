//! What a request was charged, and giving it back once its response is known.

use std::task::Poll;

use http::response::Parts;
use larder_store::{Key, Result};

use crate::policy::{Policy, timed_out};
use crate::program::Refund;
use crate::{Decision, Settlement};

/// What a request was charged, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub(crate) decision: Decision,
    pub(crate) ledger: Ledger,
}

/// Where a visitor's state was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ledger {
    /// In the limiter's store.
    Shared,
    /// In the local one, while that failed.
    Local,
}

/// A charge that may yet be given back.
#[derive(Debug)]
pub(crate) struct Refundable {
    key: Key,
    refund: Refund,
    ledger: Ledger,
}

impl Policy {
    /// What may be given back for a request that passes, if the layer gives anything back.
    pub(crate) fn refundable(&self, key: Key, charge: Option<Charge>) -> Option<Box<Refundable>> {
        self.refund_if.as_ref()?;
        let Charge { decision, ledger } = charge?;
        let refund = Refund::of(*self.limiter.gcra(), &decision)?;
        Some(Box::new(Refundable {
            key: self.limiter.charged(key, &decision),
            refund,
            ledger,
        }))
    }

    /// Whether a response with this head gives its request's charge back: as the handler says, or else
    /// as the layer's condition holds.
    pub(crate) fn is_refunded(&self, head: &Parts) -> bool {
        match head.extensions.get() {
            Some(Settlement::Refund) => true,
            Some(Settlement::Charge) => false,
            None => {
                let refund_if = self.refund_if.as_ref();
                refund_if.is_some_and(|refund_if| refund_if.holds(head))
            }
        }
    }

    /// Gives a charge back if the store answers at once, and tells what remains then; pending, with
    /// nothing given back, if it does not.
    pub(crate) fn refund_now(&self, charge: &Refundable) -> Poll<Option<Decision>> {
        let Refundable { key, refund, .. } = charge;
        let answer = match (charge.ledger, &self.on_failure) {
            (Ledger::Shared, _) => self.limiter.refund_now(key, refund),
            (Ledger::Local, crate::OnFailure::Local(local)) => local.refund(key, refund),
            (Ledger::Local, _) => return Poll::Ready(None),
        };
        answer.map(|answer| self.refunded(answer))
    }

    /// Gives a charge back once the store answers, or its time is up.
    pub(crate) async fn refund(&self, charge: &Refundable) -> Option<Decision> {
        let refund = self.limiter.refund_key(&charge.key, &charge.refund);
        let answer = match tokio::time::timeout(self.timeout, refund).await {
            Ok(answer) => answer,
            Err(_) => Err(timed_out()),
        };
        self.refunded(answer)
    }

    fn refunded(&self, answer: Result<Decision>) -> Option<Decision> {
        match answer {
            Ok(decision) => {
                self.meter.refunded();
                Some(decision)
            }
            Err(error) => {
                self.meter.refund_lost(&error);
                None
            }
        }
    }
}
