use std::time::Duration;

use larder::Ttl;

use super::ConfigError;

/// The longest span: a longer hold would keep seats from other visitors for too long.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Parses a span such as `5m`: a number of seconds, minutes or hours.
pub(super) fn parse(
    name: &'static str,
    value: &str,
    fix: &'static str,
) -> Result<Ttl, ConfigError> {
    let understood = value
        .split_at_checked(value.len() - 1)
        .and_then(|(number, unit)| {
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                _ => return None,
            };
            let span = number.trim().parse::<u64>().ok()?.checked_mul(seconds)?;
            let span = Duration::from_secs(span);
            Ttl::try_from(span).ok().filter(|_| span <= LONGEST)
        });
    understood.ok_or_else(|| ConfigError {
        name,
        value: value.to_owned(),
        expected: "a number of seconds, minutes or hours, from 1s to 1h",
        fix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold_for(value: &str) -> Result<Ttl, ConfigError> {
        parse("HOLD_FOR", value, "HOLD_FOR=5m")
    }

    #[test]
    fn a_hold_is_some_seconds_minutes_or_an_hour() {
        for (value, seconds) in [
            ("1s", 1),
            ("90s", 90),
            ("5m", 300),
            (" 5 m", 300),
            ("1h", 3600),
        ] {
            assert_eq!(hold_for(value).unwrap(), Ttl::from_secs(seconds), "{value}");
        }
    }

    #[test]
    fn an_invalid_hold_time_is_refused() {
        for value in [
            "5",
            "m",
            "0s",
            "-1m",
            "61m",
            "2h",
            "1d",
            "5é",
            "99999999999999999999h",
        ] {
            let text = hold_for(value).unwrap_err().to_string();
            assert!(text.contains("HOLD_FOR=5m"), "{text}");
        }
    }
}
