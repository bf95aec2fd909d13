use std::borrow::Cow;
use std::fmt;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed store operation, with a kind that says what the caller may do.
///
/// Neither `Display` nor `Debug` ever holds a value, a raw key or a password: only the operation,
/// the kind of the key, and what was expected. The underlying error, where there is one, is the
/// [`source`](std::error::Error::source) and is not repeated by `Display`. `Debug`, which a `main` that
/// returns the error prints, is one line too: the text of `Display` and those of all sources.
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static str,
    kind: ErrorKind,
    detail: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What the caller can do about an [`Error`].
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#the-store)
/// says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation never reached the store. Nothing happened; trying again is always safe.
    NotSent,
    /// The answer was lost or came too late, or too few replicas confirmed a write. The operation may
    /// have run, may still run, or may never run. Try again only what is idempotent; settle a put with
    /// [`StoreExt::settle`](crate::StoreExt::settle).
    MayHaveRun,
    /// The store answered that it will not do this. Nothing happened; trying again at once is
    /// pointless.
    Refused(Refusal),
    /// The value exceeds the maximum size that the store accepts. Nothing happened.
    TooLarge,
    /// The request is invalid, such as a zero TTL.
    ///
    /// Nothing happened; fix the calling code.
    Invalid,
}

/// The reason why a store refused an operation.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#the-store)
/// says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no room: the cap of a pinned kind is reached, or the server is out of memory.
    Full,
    /// The server is a replica, or takes no writes for now.
    ReadOnly,
    /// The key holds data of another type than the operation works on.
    WrongType,
    /// The credentials are missing, wrong, or do not permit this.
    Denied,
    /// The server is not ready: it is loading its data or running a script, or its cluster is down.
    Unavailable,
}

impl Error {
    /// Makes an error of `operation`, with a sentence that says how to fix it.
    ///
    /// `detail` must not contain a value, a raw key or a credential.
    pub fn new(
        operation: &'static str,
        kind: ErrorKind,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            operation,
            kind,
            detail: detail.into(),
            source: None,
        }))
    }

    /// Adds the error that caused this one.
    ///
    /// Like `detail`, it must not contain a value, a raw key or a credential: error chains are logged.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the operation that failed, such as `get`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns whether the operation certainly had no effect, so that repeating it is safe.
    pub fn had_no_effect(&self) -> bool {
        self.0.kind != ErrorKind::MayHaveRun
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.kind)?;
        if !self.0.detail.is_empty() {
            write!(f, ": {}", self.0.detail)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::MayHaveRun => "may have run",
            Self::Refused(Refusal::Full) => "refused, no room",
            Self::Refused(Refusal::ReadOnly) => "refused, read-only",
            Self::Refused(Refusal::WrongType) => "refused, wrong type",
            Self::Refused(Refusal::Denied) => "refused, not permitted",
            Self::Refused(Refusal::Unavailable) => "refused, not ready",
            Self::TooLarge => "too large",
            Self::Invalid => "invalid",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind};

    #[test]
    fn debug_is_one_line_with_the_texts_of_all_sources() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let inner = Error::new("connect", ErrorKind::NotSent, "no server").with_source(refused);
        let outer = Error::new("get", ErrorKind::MayHaveRun, "").with_source(inner);
        assert_eq!(outer.to_string(), "get: may have run");
        let shown = "get: may have run: connect: not sent: no server: connection refused";
        assert_eq!(format!("{outer:?}"), shown);
        assert_eq!(format!("{outer:#?}"), shown);
    }
}
