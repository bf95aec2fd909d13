use std::time::Duration;

use larder_store::{Error, ErrorKind, Result};

use super::confirmation::Confirmation;

/// The limits of one server's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) in_flight: usize,
    /// The replicas that must have a write before it is acknowledged.
    pub(crate) replicas: Option<Confirmation>,
}

/// The limits of a timeout, also in a URL. Timers count milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(60);

impl Limits {
    /// Refuses timeouts that are too short or too long.
    pub(crate) fn check(&self) -> Result<()> {
        bounded("timeout of an operation", self.timeout, "with_timeout")?;
        let connect = self.connect_timeout;
        bounded("timeout of a connection", connect, "with_connect_timeout")?;
        match self.replicas {
            Some(replicas) => replicas.check(self.timeout),
            None => Ok(()),
        }
    }
}

fn bounded(what: &str, timeout: Duration, setter: &str) -> Result<()> {
    if (SHORTEST..=LONGEST).contains(&timeout) {
        return Ok(());
    }
    Err(Error::new(
        "connect",
        ErrorKind::Invalid,
        format!(
            "the {what} is {timeout:?}, but must be from 1 ms to 60 s: change it with {setter}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_from_a_millisecond_to_a_minute() {
        let nanosecond = Duration::from_nanos(1);
        for (timeout, is_good) in [
            (Duration::ZERO, false),
            (SHORTEST - nanosecond, false),
            (SHORTEST, true),
            (LONGEST, true),
            (LONGEST + nanosecond, false),
            (Duration::MAX, false),
        ] {
            let good = Limits {
                timeout: SHORTEST,
                connect_timeout: SHORTEST,
                in_flight: 1,
                replicas: None,
            };
            let connecting = Limits {
                connect_timeout: timeout,
                ..good
            };
            for limits in [Limits { timeout, ..good }, connecting] {
                assert_eq!(limits.check().is_ok(), is_good, "{limits:?}");
            }
        }
    }
}
