//! The results of steps, as they are compared.

use std::collections::BTreeSet;

use bytes::Bytes;
use larder_store::lease::{Fence, FollowOutcome, LeaseOutcome};
use larder_store::program::Inspection;
use larder_store::{DeleteOutcome, ErrorKind, ExpireOutcome, PutOutcome, Result, Ttl, Version};
use larder_test::records::Lines;

use super::time::Time;

/// The result of a step, with errors by their kind.
#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    Held(Vec<Answer<Option<(Bytes, Version)>>>),
    Stored(Vec<Answer<PutOutcome>>),
    Deleted(Vec<Answer<DeleteOutcome>>),
    Expired(Answer<ExpireOutcome>),
    Cleared(Answer<bool>),
    Lease(Answer<LeaseOutcome>),
    Followed(Answer<FollowOutcome>),
    Left(Answer<Option<Ttl>>),
    Sums(Vec<Answer<Option<i64>>>),
    Count(Answer<i64>),
    Lines(Answer<Lines>),
    Shown(Answer<Inspection>),
    Claimed(Answer<Answered>),
    Keys(Answer<BTreeSet<String>>),
    Queue(Answer<String>),
    Log(Answer<String>),
    Session(String),
    Limit(Answer<String>),
}

pub(crate) type Answer<T> = Result<T, ErrorKind>;

/// The answer to a claim.
#[derive(Debug, PartialEq)]
pub(crate) enum Answered {
    Fresh(Bytes, Version),
    Lead(Fence),
    Stale,
    Follow,
}

impl Given {
    /// Returns whether the store may give this if the model gives `expected`.
    ///
    /// Fences are numbered by each store for itself.
    pub(crate) fn is_like(&self, expected: &Self, time: Time) -> bool {
        match (self, expected) {
            (Self::Left(Ok(Some(given))), Self::Left(Ok(Some(expected)))) => {
                time.allows(*given, *expected)
            }
            (Self::Claimed(Ok(Answered::Lead(_))), Self::Claimed(Ok(Answered::Lead(_)))) => true,
            _ => self == expected,
        }
    }
}

pub(crate) fn each<T, U>(
    answers: Vec<Result<T>>,
    of: impl Fn(Result<T>) -> Answer<U>,
) -> Vec<Answer<U>> {
    answers.into_iter().map(of).collect()
}

pub(crate) fn kind<T>(answer: Result<T>) -> Answer<T> {
    answer.map_err(|error| error.kind())
}
