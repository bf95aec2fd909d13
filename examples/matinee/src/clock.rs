//! The wall clock, in milliseconds since 1970 UTC: the unit of every time in the database.

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Returns a time span in milliseconds, rounded to microseconds: more digits only make logs harder
/// to read.
pub(crate) fn span_ms(span: std::time::Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}
