//! Decides what is repeated after a lost answer, and what its error says.

use ::redis::Value;
use larder_store::{Error, ErrorKind, Result};

use crate::classify;
use crate::script::is_forgotten;

/// Whether a request may be sent again after its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing that a caller sees, however often it runs.
    Safe,
    /// It changes something, but a second run changes nothing more.
    Idempotent,
    /// A second run may have a second effect.
    Never,
}

impl Repeat {
    /// Returns whether requests of both kinds that are sent together may be sent again together.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Idempotent, _) | (_, Self::Idempotent) => Self::Idempotent,
            (Self::Safe, Self::Safe) => Self::Safe,
        }
    }
}

/// Returns the outcome of a write that was sent again after its answer was lost. A refusal means
/// that the last run did nothing, and leaves the earlier one unknown.
pub(crate) fn after_lost_run(name: &'static str, outcome: Result<Value>) -> Result<Value> {
    let refusal = match outcome {
        // The script is sent again with its text, and the outcome of that counts.
        Ok(value) if is_forgotten(&value) => return Ok(value),
        Ok(Value::ServerError(error)) => classify::refused(name, &error),
        Err(error) if error.had_no_effect() => error,
        outcome => return outcome,
    };
    let text = format!("its answer was lost; sent again, it was {}", refusal.kind());
    Err(Error::new(name, ErrorKind::MayHaveRun, text).with_source(refusal))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::classify::copy_error;

    fn answer(line: &str) -> Value {
        ::redis::parse_redis_value(format!("{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_refusal_after_a_lost_answer_may_have_run() {
        for line in [
            "-READONLY You can't write against a read only replica.",
            "-NOPERM this user has no permissions",
            "-NOAUTH Authentication required.",
            "-LOADING Redis is loading the dataset in memory",
            "-BUSY Redis is busy running a script.",
            "-OOM command not allowed when used memory > 'maxmemory'.",
            "-MISCONF Errors writing to the AOF file",
            "-MASTERDOWN Link with MASTER is down",
            "-NOREPLICAS Not enough good replicas to write.",
            "-CLUSTERDOWN The cluster is down",
            "-TRYAGAIN Multiple keys request during rehashing of slot",
            "-MOVED 1 127.0.0.1:1",
            "-ASK 1 127.0.0.1:1",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
            "-ERR something else",
        ] {
            let refusal = classify::refused(
                "run",
                match &answer(line) {
                    Value::ServerError(error) => error,
                    other => panic!("{other:?}"),
                },
            );
            for outcome in [Ok(answer(line)), Err(copy_error(&refusal))] {
                let error = after_lost_run("run", outcome).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{line}");
                // The reason for the refusal must still be found.
                let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
                assert_eq!(source.kind(), refusal.kind());
            }
        }
        let not_sent = Error::new("run", ErrorKind::NotSent, "");
        let error = after_lost_run("run", Err(not_sent)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    }

    #[test]
    fn an_answer_after_a_lost_answer_counts() {
        for line in [":1", ":0", "+OK", "$-1", "-NOSCRIPT No matching script."] {
            assert_eq!(
                after_lost_run("run", Ok(answer(line))).unwrap(),
                answer(line)
            );
        }
        let unknown = Error::new("run", ErrorKind::MayHaveRun, "as it was");
        let error = after_lost_run("run", Err(unknown)).unwrap_err();
        assert!(error.to_string().ends_with("as it was"));
    }

    #[test]
    fn requests_sent_together_are_repeated_like_the_most_delicate_one() {
        use Repeat::{Idempotent, Never, Safe};
        for (one, other, both) in [
            (Safe, Safe, Safe),
            (Safe, Idempotent, Idempotent),
            (Idempotent, Never, Never),
            (Safe, Never, Never),
        ] {
            assert_eq!((one.and(other), other.and(one)), (both, both));
        }
    }
}
