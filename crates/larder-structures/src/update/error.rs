use std::fmt;

use larder_store::Error;

/// Why an update was not made.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#structures)
/// says what to do about each.
#[derive(Debug)]
#[non_exhaustive]
pub enum UpdateError {
    /// Other writers changed the value in each attempt. Nothing was written, and a later call may
    /// succeed.
    Contended {
        /// The number of attempts.
        attempts: u32,
    },
    /// The store failed. [`Error::kind`] says what may have happened.
    Store(Error),
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contended { attempts } => write!(
                f,
                "update: contended: others changed the value in each of {attempts} attempts: try again \
                 later, or use a structure for a value that changes so often"
            ),
            Self::Store(_) => f.write_str("update: the store failed"),
        }
    }
}

impl std::error::Error for UpdateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Contended { .. } => None,
            Self::Store(error) => Some(error),
        }
    }
}

impl From<Error> for UpdateError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
