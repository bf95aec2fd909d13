use crate::{Error, ErrorKind};

pub(super) const MAX_NAME: usize = 32;

/// The name of a part of a record, such as `fence`.
///
/// It has 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part(&'static str);

impl Part {
    /// Makes a part with this name, for constants.
    ///
    /// # Panics
    /// If the name is empty, too long, or has another character; in a `const` that is a compile
    /// error.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            is_name(name),
            "a part is 1 to 32 of a-z, 0-9, '-', '_' and '.'"
        );
        Self(name)
    }

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Returns whether `name` may name a kind, a part of a record, a structure, a log, a journal or a policy.
///
/// Such names have 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`, so they need no escaping in keys, labels of metrics and
/// headers.
pub const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_NAME {
        return false;
    }
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') {
            return false;
        }
        at += 1;
    }
    true
}

/// Checks that `name` is a [valid name](is_name). The error calls it `what`, as in "the name of a policy".
///
/// # Errors
/// [`ErrorKind::Invalid`]. It says what a name must be, and does not repeat the name.
pub fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::new(
        "build",
        ErrorKind::Invalid,
        format!("{what} must be 1 to {MAX_NAME} of a-z, 0-9, '-', '_' and '.'"),
    ))
}
