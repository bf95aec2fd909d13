use ::redis::RedisError;

use crate::classify;

/// Why there is no connection.
pub(crate) enum Fault {
    /// The server, or the system, refused it.
    Redis(RedisError),
    /// It took longer than the connect deadline.
    TimedOut,
    /// It broke after it was made.
    Broken,
}

impl Fault {
    /// What happened, in words that hold no credential.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::TimedOut => "it did not answer in time".to_owned(),
            Self::Broken => "the connection broke".to_owned(),
            Self::Redis(error) => match classify::system(error) {
                Some(system) => system.to_string(),
                None => format!("the handshake failed ({:?})", error.kind()),
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
