use ::redis::RedisError;

use crate::{classify, tls};

/// Why there is no connection.
pub(crate) enum Fault {
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
}

impl Fault {
    /// What happened, in words that hold no credential.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::TimedOut => "it did not answer in time".to_owned(),
            Self::Broken => "the connection broke".to_owned(),
            Self::NoMaster => "it is not the master (yet)".to_owned(),
            Self::NoSuchMaster => "the sentinels watch no master of that name".to_owned(),
            Self::NoSentinel(why) => format!("no sentinel knows the master: {why}"),
            Self::Redis(error) => match (tls::explain(error), classify::system(error)) {
                (Some(why), _) => why.into_owned(),
                (None, Some(system)) => system.to_string(),
                (None, None) => format!("the handshake failed ({:?})", error.kind()),
            },
        }
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for Fault {}
