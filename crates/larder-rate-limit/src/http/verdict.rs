//! What a layer does with a request.

use std::time::Duration;

use larder_store::Key;
use smallvec::SmallVec;

use super::settling::Refundable;
use crate::decision::Account;
use crate::{Decision, Permit, Reason, Reservation};

/// What a layer does with a request.
#[derive(Debug)]
pub(super) enum Verdict {
    Pass(Passed),
    Refuse(Refused),
}

/// A request that passes: what its limits decided, and what is to be done once its response is known.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) decisions: Decisions,
    pub(super) held: Option<Box<Held>>,
}

/// The decisions of limits, by the index of the limit.
pub(super) type Decisions = SmallVec<[(usize, Decision); 1]>;

/// What a request holds until its response is known, or until that has been sent.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) refundables: Vec<Refundable>,
    pub(super) reservations: Vec<(usize, Key, Reservation)>,
    pub(super) permits: Vec<Permit>,
}

impl Held {
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        let is_empty =
            self.refundables.is_empty() && self.reservations.is_empty() && self.permits.is_empty();
        (!is_empty).then(|| Box::new(self))
    }
}

/// A request that is refused by the limit with this index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) limit: usize,
    pub(super) decision: Decision,
    /// Whether this process remembered the refusal.
    pub(super) is_remembered: bool,
}

impl Refused {
    pub(super) fn by(limit: usize, decision: Decision) -> Self {
        Self {
            limit,
            decision,
            is_remembered: false,
        }
    }

    /// Makes a refusal of the whole layer, for which no limit has decided.
    pub(super) fn without_decision(reason: Reason, wait: Duration) -> Self {
        // A constant of this crate.
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(0);
        let decision = Decision {
            allowed: false,
            reason: Some(reason),
            rule: 0,
            account: Account::Own,
            remaining: 0,
            cost: 0,
            retry_after_us: wait_us,
            reset_us: wait_us,
            more_us: 0,
            paid_off_us: 0,
        };
        Self::by(0, decision)
    }
}
