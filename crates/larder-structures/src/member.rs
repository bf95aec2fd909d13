//! The names of members: bounded text.

use std::sync::Arc;

use larder_store::{Error, ErrorKind, Result};

/// The maximum length of a member, in bytes: 256.
pub const MAX_MEMBER: usize = 256;

/// The maximum number of members in one call.
const MAX_MEMBERS: usize = 1_000;

/// Checks a member.
///
/// # Errors
/// [`ErrorKind::Invalid`] unless it is 1 to 256 bytes.
pub(crate) fn one(operation: &'static str, member: &str) -> Result<Arc<str>> {
    if (1..=MAX_MEMBER).contains(&member.len()) {
        return Ok(member.into());
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        "a member must be 1 to 256 bytes: use an id, or the hash of a longer text",
    ))
}

/// Checks the members of one call.
///
/// # Errors
/// [`ErrorKind::Invalid`] if one is out of bounds, or there are more than 1,000.
pub(crate) fn all(
    operation: &'static str,
    members: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<Vec<Arc<str>>> {
    // One more than allowed, so that a caller without an end is refused.
    let members = members.into_iter().take(MAX_MEMBERS + 1);
    let members = members.map(|member| one(operation, member.as_ref()));
    let members = members.collect::<Result<Vec<_>>>()?;
    if members.len() > MAX_MEMBERS {
        return Err(Error::new(
            operation,
            ErrorKind::Invalid,
            "one call takes at most 1,000 members: make several calls",
        ));
    }
    Ok(members)
}
