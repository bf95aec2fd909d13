//! The errors about plans. None of them names a visitor.

use larder_store::{Error, ErrorKind};

/// Returns the error for a charge whose rules are no longer known.
pub(crate) fn lost() -> Error {
    const TEXT: &str =
        "the plan that was charged is no longer known, and was not found: the charge stays";
    Error::new("refund a rate limit", ErrorKind::NotSent, TEXT)
}

/// Returns the error for a charge of a shared quota, by rules that are no longer those of the visitor.
pub(crate) fn changed() -> Error {
    const TEXT: &str =
        "the plan has changed since it was charged to a shared quota: the charge stays";
    Error::new("refund a rate limit", ErrorKind::NotSent, TEXT)
}

/// Returns the error for an operation on a visitor whose rules are not known.
pub(crate) fn unknown() -> Error {
    const TEXT: &str = "the visitor's plan was not found, and without it the counts of its rules would be lost: \
                        try again when plans can be found, or reset the visitor";
    Error::new("change a rate limit", ErrorKind::NotSent, TEXT)
}

/// Returns the error for a function that failed. Its own error may name the visitor, and is not kept.
pub(super) fn failed() -> Error {
    const TEXT: &str = "the plan lookup failed";
    Error::new("find a plan", ErrorKind::NotSent, TEXT)
}

/// Returns the error for a function that did not answer in time.
pub(super) fn late() -> Error {
    const TEXT: &str = "the plan lookup did not finish within the timeout";
    Error::new("find a plan", ErrorKind::NotSent, TEXT)
}
