use super::report::Status;
use crate::fields::Missing;
pub(super) use crate::text::bytes;

/// The result of a check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) status: Status,
    pub(crate) seen: String,
    /// Replaces the fix of the check.
    pub(crate) fix: Option<&'static str>,
}

/// A verdict, or None if the check does not apply to the server.
pub(crate) type Outcome = Result<Option<Verdict>, Missing>;

/// Makes the outcome of a check.
pub(crate) fn outcome(status: Status, seen: impl Into<String>) -> Outcome {
    Ok(Some(Verdict {
        status,
        seen: seen.into(),
        fix: None,
    }))
}

/// Makes an outcome with its own fix.
pub(crate) fn with_fix(status: Status, seen: impl Into<String>, fix: &'static str) -> Outcome {
    Ok(Some(Verdict {
        status,
        seen: seen.into(),
        fix: Some(fix),
    }))
}

/// Returns the status of a value, given the bounds above which it is a warning and a failure.
pub(crate) fn above(value: f64, warn: f64, fail: f64) -> Status {
    if value > fail {
        Status::Fail
    } else {
        warn_if(value > warn)
    }
}

pub(crate) fn warn_if(is_wrong: bool) -> Status {
    match is_wrong {
        true => Status::Warn,
        false => Status::Ok,
    }
}

pub(crate) fn fail_if(is_wrong: bool) -> Status {
    match is_wrong {
        true => Status::Fail,
        false => Status::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_better_side() {
        assert_eq!(above(0.75, 0.75, 0.9), Status::Ok);
        assert_eq!(above(0.76, 0.75, 0.9), Status::Warn);
        assert_eq!(above(0.91, 0.75, 0.9), Status::Fail);
    }
}
