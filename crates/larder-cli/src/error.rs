use std::fmt;

/// Why a command could not work.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line asks for something that cannot be done.
    Usage(String),
    /// The store failed.
    Store(larder::Error),
    /// The output could not be written.
    Io(std::io::Error),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Returns whether the reader of the output has closed it, as `head` does.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Adds the earlier progress, so that destructive work is counted even if the rest fails.
    pub(crate) fn after(self, count: u64, what: &str) -> Self {
        match count {
            0 => self,
            count => Self::Usage(format!("{self}; {count} {what} before that")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            // With its sources: only they may say why.
            Self::Store(error) => write!(f, "{error:?}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<larder::Error> for Error {
    fn from(error: larder::Error) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<larder::session::SessionError> for Error {
    fn from(error: larder::session::SessionError) -> Self {
        let source = std::error::Error::source(&error);
        Self::Usage(match source {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }
}
