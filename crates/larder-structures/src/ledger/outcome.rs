use larder_store::Result;

use super::programs::Outcome;
use super::refused;

/// A request to move an amount from one account to another.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// The id of the request.
    pub id: &'a str,
    /// The account to take the amount from.
    pub from: &'a str,
    /// The account to give the amount to.
    pub to: &'a str,
    /// The amount, from 1.
    pub amount: i64,
}

/// The outcome of a request to move an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing was moved if the balance was too low"]
pub enum Moved {
    /// It was moved.
    Done,
    /// The balance was too low. Nothing was moved, and the id is used up.
    Insufficient,
    /// The id was used before, with this result. Nothing was moved now.
    Duplicate(First),
}

/// The first result of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It was moved.
    Done,
    /// The balance was too low.
    Insufficient,
}

/// The outcome of a request to close a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing was moved if the hold is unknown or was closed otherwise"]
pub enum Closed {
    /// It was closed.
    Done,
    /// It was closed in the same way before. Nothing was moved now.
    Duplicate,
    /// It was closed in another way before: settled, released, or settled to another account.
    Conflict,
    /// There is no such hold: it was never made, its account had too low a balance, or it was forgotten.
    Unknown,
}

impl Moved {
    /// Returns whether the amount was moved, now or before.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::Duplicate(First::Done))
    }
}

pub(super) fn moved(operation: &'static str, outcome: Outcome) -> Result<Moved> {
    match outcome {
        Outcome::Done => Ok(Moved::Done),
        Outcome::Insufficient => Ok(Moved::Insufficient),
        Outcome::DuplicateDone => Ok(Moved::Duplicate(First::Done)),
        Outcome::DuplicateInsufficient => Ok(Moved::Duplicate(First::Insufficient)),
        other => Err(refused(operation, other)),
    }
}

pub(super) fn closed(operation: &'static str, outcome: Outcome) -> Result<Closed> {
    match outcome {
        Outcome::Done => Ok(Closed::Done),
        Outcome::DuplicateDone => Ok(Closed::Duplicate),
        Outcome::Contrary => Ok(Closed::Conflict),
        Outcome::Unknown => Ok(Closed::Unknown),
        other => Err(refused(operation, other)),
    }
}
