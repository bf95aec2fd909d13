use std::{fmt, io};

use larder_store::Error;

use crate::update::UpdateError;

/// Why a blob was not written or read.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#structures)
/// says what to do about each.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlobError {
    /// The store failed. [`Error::kind`] says what may have happened: after a write that may have run, the
    /// blob is either the previous or the new one, whole.
    Store(Error),
    /// The source of a blob failed, or the target of a copy. The blob is the previous one.
    Io(io::Error),
    /// The source exceeds the maximum size of a blob. The blob is the previous one.
    TooLarge {
        /// The maximum size in bytes.
        max: u64,
    },
    /// The transfer took longer than the configured maximum. The blob is the previous one.
    TooSlow,
    /// Other writers kept replacing the blob. The blob is one of theirs.
    Contended,
    /// A part of the blob is missing or was changed. Discard what was read so far.
    Torn,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("blob: the store failed"),
            Self::Io(_) => f.write_str("blob: the source or the target failed"),
            Self::TooLarge { max } => write!(
                f,
                "blob: too large: at most {max} bytes are accepted, see with_max_size"
            ),
            Self::TooSlow => f.write_str(
                "blob: the transfer took too long: see with_max_transfer, which also sets how long \
                 its chunks are kept",
            ),
            Self::Contended => f.write_str("blob: contended: other writers kept replacing it"),
            Self::Torn => f.write_str("blob: torn: a part of it is missing or was changed"),
        }
    }
}

impl std::error::Error for BlobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for BlobError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<UpdateError> for BlobError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Contended { .. } => Self::Contended,
            UpdateError::Store(error) => Self::Store(error),
        }
    }
}
