use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;

/// Why the app did not start, or why it stopped. [`in_one_line`](Self::in_one_line) is for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An environment variable has a bad value.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened, brought up to date or filled.
    #[error(
        "cannot {what} the database {url}; set DATABASE_URL to a file that this user may write, \
         such as DATABASE_URL=sqlite://target/matinee.db"
    )]
    Database {
        /// The step that failed.
        what: &'static str,
        /// The value of `DATABASE_URL`.
        url: String,
        /// The database's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store cannot be reached, or larder does not know its URL.
    #[error("cannot use the store that STORE_URL names")]
    Store(#[from] larder::Error),
    /// The session layer cannot be built.
    #[error("cannot build the sessions")]
    Session(#[from] larder::session::SessionError),
    /// `PUBLIC_URL` is not an origin that a browser could send.
    #[error("PUBLIC_URL is not an origin that browsers send")]
    Origin(#[from] tower_http::csrf::ConfigError),
    /// The initial accounts cannot be read or written.
    #[error("cannot prepare the accounts")]
    Accounts(#[from] sqlx::Error),
    /// A password cannot be hashed.
    #[error("cannot hash a password")]
    Password(#[from] argon2::password_hash::Error),
    /// The mail directory cannot be created or written.
    #[error(
        "cannot use the directory of mail {}; set MAIL_DIR to a directory that this user may write, \
         such as MAIL_DIR=target/mail", directory.display()
    )]
    Mail {
        /// The value of `MAIL_DIR`.
        directory: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The address does not belong to this machine, or its port is taken.
    #[error(
        "cannot listen on {listen}; stop what uses this port, or set LISTEN to another, \
         such as LISTEN=127.0.0.1:{}", listen.port().checked_add(1).unwrap_or(3000)
    )]
    Listen {
        /// The value of `LISTEN`.
        listen: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No handler for SIGINT and SIGTERM can be installed.
    #[error("cannot listen for the signals to stop")]
    Signal(#[source] io::Error),
    /// The listener failed while serving.
    #[error("the listener failed")]
    Serve(#[source] io::Error),
    /// The worker of letters failed while serving.
    #[error("the worker of letters has failed")]
    Letters(#[source] Box<dyn Error + Send + Sync>),
}

impl StartError {
    /// Returns the error and its sources in one line, without repetitions.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let reason = error.to_string();
            if !line.ends_with(&reason) {
                line = format!("{line}: {reason}");
            }
            source = error.source();
        }
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fix_and_the_reason() {
        let error = StartError::Listen {
            listen: ([127, 0, 0, 1], 3000).into(),
            source: io::Error::new(io::ErrorKind::AddrInUse, "address\nin use"),
        };
        let line = error.in_one_line();
        assert!(line.contains("LISTEN=127.0.0.1:3001") && line.ends_with(": address in use"));
        assert!(!line.contains('\n'));
    }
}
