use std::io;

use ::redis::{ErrorKind, RedisError};

use crate::{classify, tls};

/// Why there is no connection.
pub(crate) enum ConnectError {
    /// The server, or the system, refused it.
    Redis(RedisError),
    /// It took longer than the connect deadline.
    TimedOut,
    /// It broke after it was made.
    Broken,
    /// The sentinels call a server the master that is none.
    NoMaster,
    /// The sentinels watch no master of that name.
    NoSuchMaster,
    /// No sentinel knows where the master is.
    NoSentinel(String),
    /// No sentinel lets us ask where the master is.
    SentinelDenied(String),
}

/// What is said where the rules of a user are too narrow for a greeting.
pub(crate) const MAY_NOT_GREET: &str =
    "the user may not greet it: grant +hello, and +select where the URL names a database";

/// What a server has against whoever logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It wants a password, and there was none.
    Missing,
    /// There is no such user, or the password is another.
    Wrong,
}

impl ConnectError {
    /// What happened, in words that hold no credential.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::TimedOut => "it did not answer in time".to_owned(),
            Self::Broken => "the connection broke".to_owned(),
            Self::NoMaster => "it is not the master (yet)".to_owned(),
            Self::NoSuchMaster => "the sentinels watch no master of that name".to_owned(),
            Self::NoSentinel(why) => format!("no sentinel knows the master: {why}"),
            Self::SentinelDenied(why) => format!("no sentinel says where the master is: {why}"),
            Self::Redis(error) => match (tls::explain(error), classify::system(error)) {
                (Some(why), _) => why.into_owned(),
                (None, Some(system)) => system.to_string(),
                (None, None) => match self.denial() {
                    Some(Denial::Missing) => "it asks for a user and password".to_owned(),
                    Some(Denial::Wrong) => "it does not take this user and password".to_owned(),
                    None if error.code() == Some("NOPERM") => MAY_NOT_GREET.to_owned(),
                    None => format!("the handshake failed ({:?})", error.kind()),
                },
            },
        }
    }

    /// What the server has against whoever logs in, if that is why.
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

    /// Why the other side may have hung up before it answered, or not have answered at all, where it
    /// did: mostly one of the two speaks TLS and the other does not.
    pub(crate) fn silence(&self, is_tls: bool) -> Option<&'static str> {
        let error = match self {
            Self::TimedOut if is_tls => {
                return Some(
                    "it did not answer in time: it may not speak TLS (redis in place of rediss)",
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
                "it hung up before it answered: it may ask for a certificate of ours \
                 (?cert=/path/to/cert.pem&key=/path/to/key.pem), or be no Redis server"
            }
            false => {
                "it hung up before it answered: it may want TLS (rediss in place of redis), or \
                 be no Redis server"
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
