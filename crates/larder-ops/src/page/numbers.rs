//! Numbers as people read them.

/// Writes a count with a space between thousands.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if number <= -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

/// Returns the part of a whole, from 0 to 1. None if the whole is 0.
pub(super) fn part(of: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| of / whole)
}

/// Writes a part as a percentage; a dash if there is none.
pub(super) fn percent(part: Option<f64>) -> String {
    match part {
        None => "–".to_owned(),
        // It must not show 100 % while anything is missing, nor 0 % if there is anything.
        Some(part) if part < 1.0 && part > 0.9995 => ">\u{202f}99.9\u{202f}%".to_owned(),
        Some(part) if part > 0.0 && part < 0.0005 => "<\u{202f}0.1\u{202f}%".to_owned(),
        Some(part) => format!("{:.1}\u{202f}%", part * 100.0),
    }
}

/// Writes a time in seconds in the unit that fits.
pub(super) fn seconds(time: f64) -> String {
    match time {
        time if time < 1e-3 => format!("{:.0}\u{202f}µs", time * 1e6),
        time if time < 1.0 => format!("{:.1}\u{202f}ms", time * 1e3),
        time if time < 60.0 => format!("{time:.1}\u{202f}s"),
        time => crate::time::span(std::time::Duration::from_secs_f64(time.min(1e9))),
    }
}

/// Writes a count with the singular or plural of what is counted.
pub(super) fn of(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{} {what}", count(number as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!((&*count(-0.2), &*count(999.0)), ("0", "999"));
        assert_eq!(percent(part(1.0, 3.0)), "33.3\u{202f}%");
        assert_eq!(percent(part(0.0, 0.0)), "–");
        assert_eq!(percent(Some(0.99999)), ">\u{202f}99.9\u{202f}%");
        assert_eq!(percent(Some(1.0)), "100.0\u{202f}%");
        assert_eq!(seconds(0.000_25), "250\u{202f}µs");
        assert_eq!(seconds(0.25), "250.0\u{202f}ms");
        assert_eq!(seconds(90.0), "1 min 30 s");
        assert_eq!(of(1, "job", "jobs"), "1 job");
    }
}
