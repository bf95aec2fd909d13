use super::report::Status;
use crate::fields::Missing;

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

/// Makes an outcome with a fix of its own.
pub(crate) fn with_fix(status: Status, seen: impl Into<String>, fix: &'static str) -> Outcome {
    Ok(Some(Verdict {
        status,
        seen: seen.into(),
        fix: Some(fix),
    }))
}

/// Returns the status of a value by the bounds above which it is a warning and a failure.
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

/// Writes a number of bytes for people.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut rest, mut unit) = (bytes, 0);
    while rest >= 1024.0 && unit + 1 < UNITS.len() {
        (rest, unit) = (rest / 1024.0, unit + 1);
    }
    match unit {
        0 => format!("{rest:.0} B"),
        _ => format!("{rest:.1} {}", UNITS[unit]),
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

    #[test]
    fn bytes_are_written_for_people() {
        assert_eq!(bytes(17.0), "17 B");
        assert_eq!(bytes(1_572_864.0), "1.5 MiB");
    }
}
