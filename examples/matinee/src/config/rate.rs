use std::time::Duration;

use larder::rate_limit::{Gcra, Quota};

use super::ConfigError;

/// Parses `120/minute` or `5/15 minutes`: a number, and a time span.
pub(super) fn parse(
    name: &'static str,
    value: &str,
    fix: &'static str,
) -> Result<Quota, ConfigError> {
    let understood = value.split_once('/').and_then(|(limit, period)| {
        let quota = Quota::new(limit.trim().parse().ok()?, span(period.trim())?);
        // Zero, or more than one per microsecond, cannot be counted.
        Gcra::new(quota, 1).is_ok().then_some(quota)
    });
    understood.ok_or_else(|| ConfigError {
        name,
        value: value.to_owned(),
        expected: "a number, at most one for each microsecond, and a time in seconds, minutes or hours",
        fix,
    })
}

/// Parses `minute`, `1 minute` or `15 minutes`.
fn span(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let many = match &text[..text.len() - unit.len()] {
        "" => 1,
        many => many.parse::<u32>().ok()?,
    };
    let seconds = match unit.trim_start().trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        _ => return None,
    };
    Duration::from_secs(seconds).checked_mul(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Quota, ConfigError> {
        parse("RATE_LIMIT", value, "RATE_LIMIT=120/minute")
    }

    #[test]
    fn a_limit_is_a_number_for_so_many_seconds_minutes_or_hours() {
        let minute = Quota::per_minute(120);
        assert_eq!(read("120/minute").unwrap(), minute);
        assert_eq!(read(" 120 / 1 minutes ").unwrap(), minute);
        let quarter = Duration::from_secs(15 * 60);
        assert_eq!(read("5/15 minutes").unwrap().period(), quarter);
        assert_eq!(read("5/15minutes").unwrap().period(), quarter);
        assert!(read("1/second").is_ok() && read("1/hour").is_ok());
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for value in [
            "",
            "120",
            "0/minute",
            "-1/minute",
            "1/day",
            "1/0 minutes",
            "1/-1 minutes",
            "1/99999999999 hours",
            "1/4294967295 hours",
            "1000001/second",
            "x/second",
        ] {
            let text = read(value).unwrap_err().to_string();
            assert!(text.contains("RATE_LIMIT=120/minute"), "{text}");
        }
    }
}
