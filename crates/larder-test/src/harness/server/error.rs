//! The reasons why a server did not start.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use super::polling::DEADLINE;

/// The error of a server that did not start.
///
/// `Debug` shows the same text as `Display`, and the source, because a test that unwraps the error shows
/// `Debug`.
#[non_exhaustive]
pub enum StartError {
    /// The program is not installed, or not on the `PATH`.
    Missing {
        /// The program.
        program: String,
    },
    /// The port belongs to another process.
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The program was built without TLS.
    NoTls {
        /// The program.
        program: String,
    },
    /// The options cannot be combined.
    Unsupported {
        /// What cannot be combined, and what to do instead.
        what: &'static str,
    },
    /// The server ended before it was ready.
    Ended {
        /// The exit status, and the end of the log.
        report: String,
    },
    /// The server runs, but was not ready in time.
    NotReady {
        /// The time that the harness waited.
        waited: Duration,
        /// What was wrong at last, and for one server the end of its log.
        report: String,
    },
    /// The system refused a directory, a process or a port.
    System {
        /// The failed step.
        what: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

impl StartError {
    /// Makes the error of a server that did not become ready.
    pub(super) fn not_ready(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::NotReady {
                waited: DEADLINE,
                report: error.to_string(),
            },
            _ => Self::System {
                what: "querying the servers",
                source: error,
            },
        }
    }

    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program } => write!(
                f,
                "cannot start a server: `{program}` is not installed; `./scripts/test` installs \
                 redis-server, or use your system's package of that name (`redis` with Homebrew)"
            ),
            Self::PortTaken { port } => {
                write!(
                    f,
                    "cannot start a server: port {port} belongs to another process"
                )
            }
            Self::NoTls { program } => write!(
                f,
                "cannot start a server: `{program}` was built without TLS; build it with \
                 `make BUILD_TLS=yes`, or use a package that has it, such as Debian's redis-server"
            ),
            Self::Unsupported { what } => write!(f, "cannot start a server: {what}"),
            Self::Ended { report } => write!(f, "the server ended before it was ready: {report}"),
            Self::NotReady { waited, report } => {
                write!(f, "the server was not ready after {waited:?}: {report}")
            }
            Self::System { what, .. } => write!(f, "cannot start a server: {what} failed"),
        }
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.source() {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}
