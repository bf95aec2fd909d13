use std::num::NonZeroU32;

use larder::rate_limit::Quota;

use super::ConfigError;

/// Reads `120/minute`: how much an address may ask for, and in what time.
pub(super) fn parse(value: &str) -> Result<Quota, ConfigError> {
    let understood = value.split_once('/').and_then(|(limit, period)| {
        let limit: NonZeroU32 = limit.trim().parse().ok()?;
        match period.trim() {
            // More than one for each microsecond could not be counted.
            "second" if limit.get() <= 1_000_000 => Some(Quota::per_second(limit)),
            "minute" if limit.get() <= 60_000_000 => Some(Quota::per_minute(limit)),
            "hour" if limit.get() <= 3_600_000_000 => Some(Quota::per_hour(limit)),
            _ => None,
        }
    });
    understood.ok_or_else(|| ConfigError {
        name: "RATE_LIMIT",
        value: value.to_owned(),
        expected: "a number of requests, at most one for each microsecond, and a second, minute \
                   or hour",
        fix: "RATE_LIMIT=120/minute",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_for_each_second_minute_or_hour() {
        let minute = Quota::per_minute(NonZeroU32::new(120).unwrap());
        assert_eq!(parse("120/minute").unwrap(), minute);
        assert_eq!(parse(" 120 / minute ").unwrap(), minute);
        assert!(parse("1/second").is_ok() && parse("1/hour").is_ok());
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for value in [
            "",
            "120",
            "0/minute",
            "-1/minute",
            "1/day",
            "1000001/second",
            "x/second",
        ] {
            let text = parse(value).unwrap_err().to_string();
            assert!(text.contains("RATE_LIMIT=120/minute"), "{text}");
        }
    }
}
