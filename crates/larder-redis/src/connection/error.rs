use std::io;

use ::redis::{ErrorKind, RedisError};

use crate::{classify, tls};

/// The reason for a missing connection.
pub(crate) enum ConnectError {
    /// The server, or the system, refused it.
    Redis(RedisError),
    /// It took longer than the connect deadline.
    TimedOut,
    /// It broke after it was made.
    Broken,
    /// The server that the sentinels name is not a master.
    NoMaster,
    /// The sentinels watch no master of that name.
    NoSuchMaster,
    /// No sentinel knows the address of the master.
    NoSentinel(String),
    /// No sentinel permits the question for the master.
    SentinelDenied(String),
}

/// The fix for a user who may not run `HELLO`.
pub(crate) const MAY_NOT_GREET: &str =
    "the user may not run HELLO: grant +hello, and +select if the URL names a database";

/// The reason for a refused login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It requires a password, and none was given.
    Missing,
    /// The user does not exist, or the password is wrong.
    Wrong,
}

impl ConnectError {
    /// Returns what happened, without credentials.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::TimedOut => "it did not answer in time".to_owned(),
            Self::Broken => "the connection broke".to_owned(),
            Self::NoMaster => "the server that the sentinels name is not a master (yet)".to_owned(),
            Self::NoSuchMaster => "the sentinels watch no master of that name".to_owned(),
            Self::NoSentinel(why) => format!("no sentinel knows the master: {why}"),
            Self::SentinelDenied(why) => {
                format!("no sentinel permits asking for the master: {why}")
            }
            Self::Redis(error) => match (tls::explain(error), classify::system(error)) {
                (Some(why), _) => why.into_owned(),
                (None, Some(system)) => system.to_string(),
                (None, None) => match self.denial() {
                    Some(Denial::Missing) => "it asks for a user and password".to_owned(),
                    Some(Denial::Wrong) => "it rejects this user and password".to_owned(),
                    None if error.code() == Some("NOPERM") => MAY_NOT_GREET.to_owned(),
                    None => format!("the handshake failed ({:?})", error.kind()),
                },
            },
        }
    }

    /// Returns why a login was refused. None for other errors.
    pub(crate) fn denial(&self) -> Option<Denial> {
        let Self::Redis(error) = self else {
            return None;
        };
        match (error.kind(), error.code()) {
            (_, Some("NOAUTH")) => Some(Denial::Missing),
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => Some(Denial::Wrong),
            _ => None,
        }
    }

    /// Returns the likely reason for silence or an early close: usually only one side speaks TLS.
    pub(crate) fn silence(&self, is_tls: bool) -> Option<&'static str> {
        let error = match self {
            Self::TimedOut if is_tls => {
                return Some(
                    "it did not answer in time: it may not speak TLS (use redis instead of rediss)",
                );
            }
            Self::Redis(error) => error,
            _ => return None,
        };
        let system = classify::system(error)?;
        let hung_up = matches!(
            system.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
        );
        hung_up.then_some(match is_tls {
            true => {
                "it closed the connection before answering: it may require a client certificate \
                 (?cert=/path/to/cert.pem&key=/path/to/key.pem), or may not be a Redis server"
            }
            false => {
                "it closed the connection before answering: it may require TLS (use rediss \
                 instead of redis), or may not be a Redis server"
            }
        })
    }
}

impl std::fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for ConnectError {}
