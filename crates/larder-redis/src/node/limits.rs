use std::time::Duration;

use larder_store::{Error, ErrorKind, Result};

use super::replicas::Replicas;

/// The limits of one server's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Duration,
    pub(crate) connect_deadline: Duration,
    pub(crate) in_flight: usize,
    /// The replicas that must have a write before it is acknowledged.
    pub(crate) replicas: Option<Replicas>,
}

/// The bounds of a deadline, which are those of a URL too. Timers count milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(60);

impl Limits {
    /// Refuses deadlines that no operation could keep, and those that would never end.
    pub(crate) fn check(&self) -> Result<()> {
        bounded("deadline of an operation", self.deadline, "with_deadline")?;
        let connect = self.connect_deadline;
        bounded("deadline of a connection", connect, "with_connect_deadline")?;
        match self.replicas {
            Some(replicas) => replicas.check(self.deadline),
            None => Ok(()),
        }
    }
}

fn bounded(what: &str, deadline: Duration, setter: &str) -> Result<()> {
    if (SHORTEST..=LONGEST).contains(&deadline) {
        return Ok(());
    }
    Err(Error::new(
        "connect",
        ErrorKind::Invalid,
        format!(
            "the {what} is {deadline:?}, but must be from 1 ms to 60 s: change it with {setter}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_from_a_millisecond_to_a_minute() {
        let nanosecond = Duration::from_nanos(1);
        for (deadline, is_good) in [
            (Duration::ZERO, false),
            (SHORTEST - nanosecond, false),
            (SHORTEST, true),
            (LONGEST, true),
            (LONGEST + nanosecond, false),
            (Duration::MAX, false),
        ] {
            let good = Limits {
                deadline: SHORTEST,
                connect_deadline: SHORTEST,
                in_flight: 1,
                replicas: None,
            };
            let connecting = Limits {
                connect_deadline: deadline,
                ..good
            };
            for limits in [Limits { deadline, ..good }, connecting] {
                assert_eq!(limits.check().is_ok(), is_good, "{limits:?}");
            }
        }
    }
}
