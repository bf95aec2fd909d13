use std::num::NonZeroU8;
use std::time::Duration;

use ::redis::{Cmd, Value};
use larder_store::{Error, ErrorKind, Result};

/// The number of replicas that must confirm a write before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub(crate) number: NonZeroU8,
    /// The time that the server waits for them.
    pub(crate) within: Duration,
}

/// Whether replicas must confirm an operation, if the store requires it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// They need not: it writes nothing, or nothing that must survive.
    Read,
    /// They must, unless its answer says that there was nothing to write: 0, or none.
    Write,
    /// They must, whatever it answers: only the program knows whether it wrote.
    Program,
}

impl Access {
    /// Returns whether an operation with this answer may have written what must survive.
    pub(crate) fn may_have_written(self, answer: &Value) -> bool {
        match (self, answer) {
            (_, Value::ServerError(_)) | (Self::Read, _) => false,
            (Self::Write, Value::Nil | Value::Int(0)) => false,
            (Self::Write | Self::Program, _) => true,
        }
    }
}

impl Confirmation {
    /// Refuses a wait below a millisecond, or as long as the timeout.
    pub(crate) fn check(self, timeout: Duration) -> Result<()> {
        let within = self.within;
        if within >= Duration::from_millis(1) && within < timeout {
            return Ok(());
        }
        Err(Error::new(
            "connect",
            ErrorKind::Invalid,
            format!(
                "replicas have {within:?} to confirm a write, but must have at least 1 ms and \
                 less than the store's timeout of {timeout:?}: change one of the two"
            ),
        ))
    }

    /// Returns the command that waits for all earlier writes of its connection.
    pub(crate) fn wait(self) -> Cmd {
        let mut command = ::redis::cmd("WAIT");
        let millis = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        command.arg(self.number.get()).arg(millis);
        command
    }

    /// Reads the answer of [`wait`](Self::wait).
    ///
    /// # Errors
    /// [`ErrorKind::MayHaveRun`] unless enough replicas have the write: it ran, but it is unknown
    /// whether it lasts.
    pub(crate) fn confirmed(
        self,
        operation: &'static str,
        location: &str,
        answer: &Value,
    ) -> Result<()> {
        let Self { number, within } = self;
        let what = match answer {
            Value::Int(had) if *had >= i64::from(number.get()) => return Ok(()),
            Value::Int(had) => {
                format!("{had} of {number} replicas confirmed it within {within:?}")
            }
            _ => "the server does not report which replicas have it: it must be a master, and \
                  the user needs +wait"
                .to_owned(),
        };
        metrics::counter!("larder_redis_unconfirmed_total", "server" => location.to_owned())
            .increment(1);
        Err(Error::new(
            operation,
            ErrorKind::MayHaveRun,
            format!(
                "it ran at {location}, and a failover may undo what it wrote, if anything: {what}"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Confirmation = Confirmation {
        number: NonZeroU8::new(2).unwrap(),
        within: Duration::from_millis(50),
    };

    #[test]
    fn as_many_as_were_asked_for_are_enough_and_fewer_are_not() {
        for (answer, is_enough) in [
            (Value::Int(3), true),
            (Value::Int(2), true),
            (Value::Int(1), false),
            (Value::Int(-1), false),
            (Value::Nil, false),
            (Value::Okay, false),
        ] {
            let confirmed = TWO.confirmed("put", "here", &answer);
            assert_eq!(confirmed.is_ok(), is_enough, "{answer:?}");
            if let Err(error) = confirmed {
                assert_eq!(error.kind(), ErrorKind::MayHaveRun);
            }
        }
    }

    #[test]
    fn an_answer_that_nothing_was_written_needs_no_confirmation_but_that_of_a_program_may_mean_anything()
     {
        use Access::{Program, Read, Write};
        let refusal = ::redis::parse_redis_value(b"-OOM full\r\n").unwrap();
        for (answer, is_write, is_program) in [
            (Value::Okay, true, true),
            (Value::Int(1), true, true),
            (Value::Int(0), false, true),
            (Value::Nil, false, true),
            (refusal, false, false),
        ] {
            assert_eq!(Write.may_have_written(&answer), is_write, "{answer:?}");
            assert_eq!(Program.may_have_written(&answer), is_program, "{answer:?}");
            assert!(!Read.may_have_written(&answer), "{answer:?}");
        }
    }

    #[test]
    fn a_wait_is_shorter_than_the_timeout_and_has_an_end() {
        let within = |within| Confirmation { within, ..TWO };
        let timeout = Duration::from_millis(100);
        for (wait, is_good) in [(0, false), (1, true), (99, true), (100, false)] {
            let checked = within(Duration::from_millis(wait)).check(timeout);
            assert_eq!(checked.is_ok(), is_good, "{wait} ms");
        }
        // The server counts milliseconds, and zero means to wait for ever.
        assert!(within(Duration::from_micros(999)).check(timeout).is_err());
    }
}
