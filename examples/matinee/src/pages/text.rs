//! Formats numbers and times as text.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::DAY_MS;

/// `1 film`, `1,234 films`.
pub(crate) fn counted(number: u32, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(number),
        if number == 1 { one } else { many }
    )
}

pub(crate) fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 h 44 min`.
pub(crate) fn running_time(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `$7.50`.
pub(crate) fn price(cents: u32) -> String {
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// `12 June 1998`, from ISO 8601.
pub(crate) fn date(iso: &str) -> String {
    iso.parse::<Date>().map_or_else(
        |_| iso.to_owned(),
        |date| date.strftime("%-d %B %Y").to_string(),
    )
}

/// Formats a time in UTC by `strftime`; empty if the time is out of range.
pub(crate) fn utc(ms: i64, format: &str) -> String {
    Timestamp::from_millisecond(ms)
        .map(|time| time.to_zoned(TimeZone::UTC).strftime(format).to_string())
        .unwrap_or_default()
}

/// `19:30`.
pub(crate) fn time(ms: i64) -> String {
    utc(ms, "%H:%M")
}

/// `1998-06-12T19:30Z`, as a program reads it.
pub(crate) fn iso(ms: i64) -> String {
    utc(ms, "%Y-%m-%dT%H:%MZ")
}

/// `Today`, `Tomorrow`, or the date in a `strftime` format.
pub(crate) fn day(ms: i64, now_ms: i64, format: &str) -> String {
    match ms.div_euclid(DAY_MS) - now_ms.div_euclid(DAY_MS) {
        0 => "Today".to_owned(),
        1 => "Tomorrow".to_owned(),
        _ => utc(ms, format),
    }
}

/// `5 minutes`, or `90 seconds` if it is not a whole number of minutes.
pub(crate) fn whole_span(span: Duration) -> String {
    let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    if seconds.is_multiple_of(60) {
        counted(seconds / 60, "minute", "minutes")
    } else {
        counted(seconds, "second", "seconds")
    }
}

/// `12 ms`, `3.4 s`, `5 min`, `2 h`.
pub(crate) fn age(ms: i64) -> String {
    let age = SignedDuration::from_millis(ms.max(0));
    match (age.as_hours(), age.as_mins(), age.as_secs()) {
        (0, 0, 0) => format!("{} ms", age.as_millis()),
        (0, 0, _) => format!("{:.1} s", age.as_secs_f64()),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, ..) => format!("{hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(counted(1, "film", "films"), "1 film");
        assert_eq!(counted(1_234_567, "film", "films"), "1,234,567 films");
        assert_eq!(
            [0, 44, 60, 104, 222].map(running_time),
            ["0 min", "44 min", "1 h", "1 h 44 min", "3 h 42 min"]
        );
        assert_eq!(price(1_105), "$11.05");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(date("1998-06-12"), "12 June 1998");
        assert_eq!(date("soon"), "soon");
        assert_eq!(utc(1_000, "%H:%M:%S%.3f"), "00:00:01.000");
        assert_eq!(utc(i64::MAX, "%H"), "");
        assert_eq!(
            (time(60_000), iso(60_000)),
            ("00:01".to_owned(), "1970-01-01T00:01Z".to_owned())
        );
        assert_eq!(
            [-5, 12, 3_400, 300_000, 7_200_000].map(age),
            ["0 ms", "12 ms", "3.4 s", "5 min", "2 h"]
        );
    }

    #[test]
    fn a_span_of_whole_minutes_is_told_in_minutes() {
        let told = |seconds| whole_span(Duration::from_secs(seconds));
        assert_eq!(
            [60, 90, 300].map(told),
            ["1 minute", "90 seconds", "5 minutes"]
        );
    }

    #[test]
    fn a_day_is_named_from_today() {
        let noon = DAY_MS / 2;
        assert_eq!(day(DAY_MS - 1, noon, ""), "Today");
        assert_eq!(day(DAY_MS, noon, ""), "Tomorrow");
        assert_eq!(day(2 * DAY_MS, noon, "%A %-d %B"), "Saturday 3 January");
    }
}
