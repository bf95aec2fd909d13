//! Values of flags, whose errors say what was expected.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A number that nobody means to reach.
pub(super) const MANY: usize = usize::MAX;

/// Reads a whole number within bounds.
pub(super) fn number<T: FromStr + PartialOrd + Display + Clone>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            let (from, to) = (bounds.start(), bounds.end().to_string());
            // A bound that is only that of the type is not worth naming.
            match to.len() > 15 {
                true => format!("expected a whole number from {from}"),
                false => format!("expected a whole number from {from} to {to}"),
            }
        })
    }
}

/// Reads a time such as `90s`, `30m`, `12h` or `7d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let found = UNITS.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| *seconds > 0)
    });
    let found = found.map(Duration::from_secs);
    found.ok_or_else(|| "expected a time such as 90s, 30m, 12h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_is_not_zero() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "s",
            "0s",
            "-1s",
            "1.5h",
            "90",
            "1w",
            "99999999999999999999d",
            "9999999999999999999d",
        ] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }
}
