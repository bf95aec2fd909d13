use std::borrow::Cow;
use std::fmt;

/// The result of a session operation.
pub type Result<T, E = SessionError> = std::result::Result<T, E>;

/// The error of a session operation.
///
/// [`kind`](Self::kind) says what the caller can do about it. `Display` and `Debug` show no id, no secret and
/// no value.
pub struct SessionError(Box<Inner>);

struct Inner {
    kind: SessionErrorKind,
    detail: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller can do about a [`SessionError`].
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#sessions)
/// says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// The store failed or was too slow. A read had no effect; a change may have happened. Answer 503.
    Unavailable,
    /// Nobody is signed in. Answer 401, or show the sign-in form.
    SignedOut,
    /// The user is signed in, but must prove again who they are. Answer 401, or show the sign-in form.
    ReauthenticationRequired,
    /// The account is disabled, so nobody can sign in to it. Answer 403.
    Disabled,
    /// The user has as many sessions as allowed. Answer 403, and say on which devices.
    TooManyDevices,
    /// Too many visitors are creating a session right now. Nothing was written. Answer 503.
    Overloaded,
    /// The session ended, was revoked, or changed its user or id during this request. The change was not
    /// written.
    Gone,
    /// The value or the session would exceed its limit in bytes. Nothing was changed.
    TooLarge,
    /// The field does not hold an integer, or the sum would be beyond ±2^53. Nothing was changed.
    NotAnInteger,
    /// Other requests changed the field at each attempt of the update. Nothing was changed.
    Conflict,
    /// The response has been sent, or the request ended without one. Change a session before the handler returns.
    Late,
    /// The caller made a mistake, such as an empty user id, a setting out of its limits, a value that would not
    /// be read back as it was written, or a field that is read as another type.
    Invalid,
}

impl SessionError {
    pub(crate) fn new(kind: SessionErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            source: None,
        }))
    }

    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(SessionErrorKind::Invalid, detail)
    }

    pub(crate) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            SessionErrorKind::Unavailable,
            "the session store failed or was too slow: try again later",
        );
        error.0.source = Some(source.into());
        error
    }

    /// Makes the error for a store that lacks what sessions need, which `source` says.
    pub(crate) fn unsuitable_store(source: larder_store::Error) -> Self {
        let mut error = Self::invalid(
            "sessions need a store that runs programs, such as memory:// or redis://",
        );
        error.0.source = Some(source.into());
        error
    }

    pub(crate) fn gone() -> Self {
        Self::new(
            SessionErrorKind::Gone,
            "the session ended during the request, and the change was not written",
        )
    }

    /// Returns whether it is unknown if the store made a change. An answer of the store settles it.
    pub(crate) fn is_unsettled(&self) -> bool {
        let source = self.0.source.as_ref();
        let source = source.and_then(|source| source.downcast_ref::<larder_store::Error>());
        self.0.kind == SessionErrorKind::Unavailable
            && source.is_none_or(|error| error.kind() == larder_store::ErrorKind::MayHaveRun)
    }

    /// Returns what the caller can do about the error.
    pub fn kind(&self) -> SessionErrorKind {
        self.0.kind
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session: {}", self.0.detail)
    }
}

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionError")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use larder_store::{Error, ErrorKind};

    use super::{SessionError, SessionErrorKind};

    #[test]
    fn an_unsuitable_store_is_the_source_of_its_error() {
        let store = Error::new("build", ErrorKind::Invalid, "this store runs no programs");
        let error = SessionError::unsuitable_store(store);
        assert_eq!(error.kind(), SessionErrorKind::Invalid);
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<Error>());
        assert_eq!(source.map(Error::kind), Some(ErrorKind::Invalid));
    }
}
