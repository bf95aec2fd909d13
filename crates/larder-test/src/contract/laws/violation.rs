use std::fmt;

use larder_store::Error;

/// The result of testing a law.
pub type Outcome<T = ()> = Result<T, Violation>;

/// A broken law: what was expected, and what happened instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

impl From<Error> for Violation {
    fn from(error: Error) -> Self {
        Self(format!("expected an answer, got an error: {error}"))
    }
}

/// Ends a law with a violation unless `$holds`.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err($crate::laws::Violation::new(format!($($message)+)));
        }
    };
}

/// Ends a law with a violation that names `$what`, unless it `$is` as `$expected`.
macro_rules! ensure_eq {
    ($is:expr, $expected:expr, $($what:tt)+) => {
        match (&$is, &$expected) {
            (is, expected) => ensure!(
                is == expected,
                "{}: expected {expected:?}, got {is:?}",
                format_args!($($what)+)
            ),
        }
    };
}
