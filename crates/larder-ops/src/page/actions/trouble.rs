use larder_session::{SessionError, SessionErrorKind};
use larder_store::{Error, ErrorKind};

use crate::page::action_log::Outcome;

/// Why an action was not carried out, or may not have been.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing was done.
    Refused(String),
    /// It may have been carried out, wholly or in part.
    Unsure(Outcome, String),
}

impl Trouble {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Refused(text) | Self::Unsure(_, text) => text,
        }
    }
}

pub(super) type Result<T, E = Trouble> = std::result::Result<T, E>;

pub(super) fn refused(text: &str) -> Trouble {
    Trouble::Refused(text.to_owned())
}

pub(super) fn unasked() -> Trouble {
    refused("It was not confirmed first. Open the view again and repeat it.")
}

/// Describes why something could not be read. Errors of larder contain no key and no session.
pub(super) fn told(error: impl std::fmt::Display) -> Trouble {
    Trouble::Refused(format!("Nothing was done: {error}."))
}

/// Describes why a change may have been made in part.
pub(super) fn unsure(error: Error) -> Trouble {
    match error.kind() {
        ErrorKind::Invalid => told(error),
        ErrorKind::MayHaveRun => unsure_because(Outcome::Unknown, error),
        _ => unsure_because(Outcome::Failed, error),
    }
}

pub(super) fn unsure_of_session(error: SessionError) -> Trouble {
    match error.kind() {
        SessionErrorKind::Invalid => told(error),
        SessionErrorKind::Unavailable => unsure_because(Outcome::Unknown, error),
        _ => unsure_because(Outcome::Failed, error),
    }
}

fn unsure_because(outcome: Outcome, error: impl std::fmt::Display) -> Trouble {
    Trouble::Unsure(
        outcome,
        format!("A part of it may have been done: {error}."),
    )
}
