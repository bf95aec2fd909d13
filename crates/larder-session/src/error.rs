use std::borrow::Cow;
use std::fmt;

/// The result of a session operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a session gave no answer, in terms of what the caller may do about it.
///
/// Neither `Display` nor `Debug` holds an id, a secret or a value.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store failed or took too long. A read had no effect; a change may have happened. Answer
    /// 503.
    Unavailable,
    /// Nobody is signed in. Answer 401, or show the sign-in form.
    SignedOut,
    /// The session ended, was revoked, or went to another user or id while this request was under
    /// way. Nothing was written.
    Gone,
    /// The value, or the session with it, would pass its bound in bytes. Nothing was changed.
    TooLarge,
    /// The field holds no integer, or the sum would leave ±2^53. Nothing was changed.
    NotAnInteger,
    /// Other requests changed the field each time that the update was tried. Nothing was changed.
    Conflict,
    /// The response has gone out: a session is changed while its request is handled.
    Late,
    /// The caller has to be changed: an empty user id, a setting out of its bounds, a value that
    /// cannot be written, a field that is of another type.
    Invalid,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            source: None,
        }))
    }

    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, detail)
    }

    pub(crate) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, "the store of the session failed");
        error.0.source = Some(source.into());
        error
    }

    pub(crate) fn gone() -> Self {
        Self::new(ErrorKind::Gone, "it ended while the request was under way")
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session: {}", self.0.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
