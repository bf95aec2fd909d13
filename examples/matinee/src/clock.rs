//! The wall clock, in milliseconds since 1970 UTC: the unit of every time in the database.

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
