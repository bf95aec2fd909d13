//! The verdict of a layer about a request.

use std::sync::Arc;
use std::time::Duration;

use larder_store::Key;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::settling::{Outcome, Refundable};
use crate::decision::Account;
use crate::headers::{Fields, Left};
use crate::hold::{Hold, Takes};
use crate::limiter::Engine;
use crate::plan::Plan;
use crate::{Decision, Permit, Reason, Reservation};

/// The verdict of a layer about a request.
#[derive(Debug)]
pub(super) enum Verdict {
    Pass(Pass),
    Refuse(Box<Refused>),
}

/// What the response to a request that passes needs.
///
/// Unlike a decision it is small, and cheap to move between futures.
#[derive(Debug)]
pub(super) enum Pass {
    Nothing,
    /// The header fields of the only limit.
    Fields(&'static Fields, Left),
    Full(Box<Passed>),
}

/// The result of deciding about a request without waiting.
pub(super) enum AtOnce {
    Decided(Verdict),
    /// No decision, and nothing was charged. The key of the only limit, if it was found.
    Waits(Option<Box<Key>>),
}

impl From<Passed> for Verdict {
    fn from(passed: Passed) -> Self {
        Self::Pass(Pass::Full(Box::new(passed)))
    }
}

/// The question to the limit with this index.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) limit: usize,
    /// The visitor that it charges.
    pub(super) key: Key,
    /// The engine that counts the visitor, found once for a request so that the whole request uses the
    /// same rules.
    pub(super) engine: Engine,
    pub(super) cost: u32,
}

/// A request that passes: the decisions of its limits, and the work left once its response is known.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) decisions: Decisions,
    pub(super) held: Option<Box<Held>>,
}

/// The decisions of limits.
pub(super) type Decisions = SmallVec<[Decided; 1]>;

/// The decision of the limit with this index.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) limit: usize,
    pub(super) decision: Decision,
    /// The plan by which the visitor is counted. None if it is the limiter's own policy.
    pub(super) plan: Option<Arc<Plan>>,
}

impl Passed {
    /// Adds what another limit holds.
    pub(super) fn hold(&mut self, other: Held) {
        let Some(other) = other.boxed() else {
            return;
        };
        match &mut self.held {
            None => self.held = Some(other),
            Some(held) => {
                held.refundables.extend(other.refundables);
                held.reservations.extend(other.reservations);
                held.permits.extend(other.permits);
                held.shadows.extend(other.shadows);
            }
        }
    }
}

/// What a request holds until its response is known, or has been sent.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) refundables: Vec<Refundable>,
    pub(super) reservations: Vec<(usize, Key, Reservation)>,
    pub(super) permits: Vec<Permit>,
    /// Sends the outcome of the response to the background checks in shadow mode.
    pub(super) shadows: Vec<oneshot::Sender<Outcome>>,
}

impl Held {
    /// Keeps what a request that passed a limit has taken.
    pub(super) fn keep(
        &mut self,
        asked: &Asked,
        takes: Takes,
        decision: Decision,
        hold: Option<Hold>,
    ) {
        match takes {
            _ if !decision.is_allowed() => {}
            Takes::Nothing => {}
            Takes::Permit => self.permits.push(Permit::new(decision, hold)),
            Takes::Reservation => {
                let reservation = Reservation::new(decision, hold);
                self.reservations
                    .push((asked.limit, asked.key.clone(), reservation));
            }
        }
    }

    pub(super) fn boxed(self) -> Option<Box<Self>> {
        let is_empty = self.refundables.is_empty()
            && self.reservations.is_empty()
            && self.permits.is_empty()
            && self.shadows.is_empty();
        (!is_empty).then(|| Box::new(self))
    }
}

/// A request that is refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) by: Decided,
    /// Whether this process remembered the refusal.
    pub(super) is_remembered: bool,
}

impl Refused {
    pub(super) fn by(by: Decided) -> Self {
        Self {
            by,
            is_remembered: false,
        }
    }

    /// Makes a refusal about which no limit has decided, in the name of the limit with this index.
    pub(super) fn without_decision(limit: usize, reason: Reason, wait: Duration) -> Self {
        // The wait is a constant of this crate.
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(0);
        let decision = Decision {
            allowed: false,
            reason: Some(reason),
            rule: 0,
            account: Account::Own,
            remaining: 0,
            is_near_limit: false,
            cost: 0,
            retry_after_us: wait_us,
            reset_us: wait_us,
            more_us: 0,
            paid_off_us: 0,
            ban_us: 0,
        };
        Self::by(Decided {
            limit,
            decision,
            plan: None,
        })
    }
}
