//! Times for people.

use std::time::{Duration, SystemTime};

use larder_store::Timestamp;

/// Returns the time by our clock.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// Writes the time until a moment, or `ended`.
pub fn until(time: Timestamp) -> String {
    // Another client may have written any time.
    match time.as_micros().saturating_sub(now().as_micros()) {
        left @ 1.. => format!("in {}", span(Duration::from_micros(left.unsigned_abs()))),
        _ => "ended".to_owned(),
    }
}

/// Writes the time since a moment.
pub fn ago(time: Timestamp) -> String {
    let past = now().as_micros().saturating_sub(time.as_micros()).max(0);
    format!("{} ago", span(Duration::from_micros(past.unsigned_abs())))
}

/// Writes a span of time in its two largest units.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.1} s", time.as_secs_f64()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_that_another_client_wrote_is_shown() {
        let [first, last] = [i64::MIN, i64::MAX].map(Timestamp::from_micros);
        assert_eq!(until(first), "ended");
        assert_eq!(ago(last), "0.0 s ago");
        assert!(until(last).starts_with("in ") && ago(first).ends_with(" h ago"));
    }

    #[test]
    fn a_span_is_written_in_its_two_largest_units() {
        for (seconds, text) in [
            (0.25, "0.2 s"),
            (59.0, "59 s"),
            (61.0, "1 min 1 s"),
            (7_260.0, "2 h 1 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(span(Duration::from_secs_f64(seconds)), text);
        }
    }
}
