use std::num::NonZeroU32;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Result, Ttl};

/// How many requests a visitor may make: `limit` for each `period`, and up to `burst` at once.
///
/// A request costs one unit, unless it has another [cost](crate::RateLimiter::with_cost). The burst
/// equals the limit by default: a new visitor may make `limit` requests at once, and then one per
/// `period / limit`.
///
/// That interval is in whole microseconds, rounded down. A limit of up to 10,000 a second therefore lets at
/// most one percent more through than it says. A higher one may let more: 600,000 a second is counted as
/// 1,000,000.
///
/// [`RateLimiter::new`](crate::RateLimiter::new) checks a quota:
/// - the limit and the burst are at least 1;
/// - the period is between 1 µs and 100 years, and has at least one microsecond for each unit;
/// - the whole burst comes back within 100 years.
///
/// In a [`Policy`](crate::Policy) that is more than one quota, and with [plans](crate::Plans), the burst must come
/// back within 10 years.
///
/// ```
/// use std::time::Duration;
/// use larder_rate_limit::Quota;
///
/// const PAGES: Quota = Quota::per_minute(100).with_burst(20);
///
/// assert_eq!(PAGES.interval(), Duration::from_millis(600));
/// assert_eq!(Quota::new(5, Duration::from_secs(900)).burst(), 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// Allows `limit` units a second.
    pub const fn per_second(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(1))
    }

    /// Allows `limit` units a minute.
    pub const fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60))
    }

    /// Allows `limit` units an hour.
    pub const fn per_hour(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(3600))
    }

    /// Allows `limit` units a day of 24 hours.
    pub const fn per_day(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(24 * 3600))
    }

    /// Allows `limit` units for each `period`.
    pub const fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            burst: limit,
        }
    }

    /// Allows `burst` units at once. The default is the limit.
    #[must_use]
    pub const fn with_burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Returns how many units are replenished per period.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns how many units may be used at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Returns how long one unit takes to be replenished, in whole microseconds, rounded down.
    ///
    /// For a limit of 0, which no limiter accepts, it is the longest possible time.
    pub fn interval(&self) -> Duration {
        let interval = micros(self.period).checked_div(u64::from(self.limit));
        Duration::from_micros(interval.unwrap_or(u64::MAX))
    }

    /// Returns the share that one of several `processes` has: at least one unit.
    ///
    /// Its burst comes back within `most` microseconds, if that of the whole does.
    pub(crate) fn share_of(&self, processes: NonZeroU32, most: i64) -> Self {
        let (period, most) = (micros(self.period), most.unsigned_abs().max(1));
        // Both limits are at most the whole one, so they fit.
        let least = u32::try_from(period.div_ceil(most)).unwrap_or(self.limit);
        let limit = (self.limit / processes).max(least).max(1);
        let bound = most.checked_div(period / u64::from(limit));
        let bound = u32::try_from(bound.unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
        Self {
            limit,
            period: self.period,
            burst: (self.burst / processes).min(bound).max(1),
        }
    }

    /// Returns the interval in microseconds, at least 1.
    pub(crate) fn interval_micros(&self) -> Result<i64> {
        if self.limit == 0 {
            return Err(invalid(
                "the limit of a quota must be at least 1, as in Quota::per_minute(100)",
            ));
        }
        let period = micros(self.period);
        if period == 0 || period > Ttl::MAX.as_micros().unsigned_abs() {
            return Err(invalid(
                "the period of a quota must be between 1 µs and 100 years",
            ));
        }
        match period / u64::from(self.limit) {
            0 => Err(invalid(
                "the limit of a quota must be at most one unit for each microsecond of its period",
            )),
            // At most 100 years, which is 3.2e15.
            interval => Ok(interval as i64),
        }
    }

    /// Returns the time in which the whole burst comes back, in microseconds.
    pub(crate) fn burst_micros(&self) -> Result<i64> {
        self.burst_micros_within(Ttl::MAX.as_micros())
    }

    /// Returns the time in which the whole burst comes back, in microseconds, at most `most`.
    pub(crate) fn burst_micros_within(&self, most: i64) -> Result<i64> {
        if self.burst == 0 {
            return Err(invalid(
                "the burst of a quota must be at least 1, as in \
                 Quota::per_minute(100).with_burst(20)",
            ));
        }
        self.interval_micros()?
            .checked_mul(i64::from(self.burst))
            .filter(|micros| *micros <= most)
            .ok_or_else(|| {
                invalid(match most == Ttl::MAX.as_micros() {
                    true => "the burst of a quota must come back within 100 years",
                    false => "the burst of a rule of a policy must come back within 10 years",
                })
            })
    }
}

/// Returns whole microseconds, rounded down, or `u64::MAX`, which exceeds every bound.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the error for a limiter that cannot be built. `expected` says what is allowed.
pub(crate) fn invalid(expected: &'static str) -> Error {
    Error::new("build a rate limit", ErrorKind::Invalid, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_refused(quota: Quota, expected: &str) {
        let error = quota.burst_micros().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn the_burst_is_the_limit_until_it_is_set() {
        assert_eq!(Quota::per_second(7).burst(), 7);
        assert_eq!(Quota::per_second(7).with_burst(1).burst(), 1);
    }

    #[test]
    fn a_quota_of_each_unit_of_time_has_its_period() {
        for (quota, seconds) in [
            (Quota::per_second(9), 1),
            (Quota::per_minute(9), 60),
            (Quota::per_hour(9), 3600),
            (Quota::per_day(9), 86_400),
        ] {
            assert_eq!(quota, Quota::new(9, Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn the_interval_is_rounded_down() {
        assert_eq!(
            Quota::per_second(7).interval(),
            Duration::from_micros(142_857)
        );
        assert_eq!(Quota::per_hour(1).interval(), Duration::from_secs(3600));
    }

    #[test]
    fn a_limit_or_a_burst_of_zero_is_refused_and_the_text_shows_one_that_is_not() {
        assert_refused(Quota::per_minute(0), "Quota::per_minute(100)");
        assert_refused(Quota::per_minute(0).with_burst(5), "at least 1");
        assert_refused(Quota::per_minute(5).with_burst(0), "with_burst(20)");
        assert_eq!(
            Quota::per_minute(0).interval(),
            Duration::from_micros(u64::MAX)
        );
    }

    #[test]
    fn a_period_of_zero_or_of_centuries_is_refused_and_the_text_says_what_is_allowed() {
        let century = Duration::from_micros(Ttl::MAX.as_micros().unsigned_abs());
        assert!(Quota::new(1, century).burst_micros().is_ok());
        for wrong in [
            Duration::ZERO,
            Duration::from_nanos(999),
            century + Duration::from_micros(1),
            Duration::MAX,
        ] {
            assert_refused(Quota::new(1, wrong), "between 1 µs and 100 years");
        }
    }

    #[test]
    fn more_units_than_microseconds_are_refused() {
        let period = Duration::from_micros(50);
        assert!(Quota::new(50, period).burst_micros().is_ok());
        assert_refused(Quota::new(51, period), "one unit for each microsecond");
    }

    #[test]
    fn a_share_of_a_slow_quota_is_valid_too() {
        let year = Duration::from_secs(366 * 86_400);
        let (decade, century) = (10 * 366 * 86_400_000_000, Ttl::MAX.as_micros());
        for (quota, most, limit, burst) in [
            (Quota::new(3, year).with_burst(250), century, 1, 99),
            (Quota::new(3, year).with_burst(29), decade, 1, 10),
            (Quota::new(3, 20 * year).with_burst(1), decade, 2, 1),
            (Quota::per_minute(100), decade, 50, 50),
            (Quota::per_minute(1), decade, 1, 1),
            (
                Quota::per_second(u32::MAX),
                decade,
                u32::MAX / 2,
                u32::MAX / 2,
            ),
        ] {
            let share = quota.share_of(NonZeroU32::new(2).unwrap(), most);
            assert_eq!((share.limit, share.burst), (limit, burst), "{quota:?}");
            let is_valid = quota.burst_micros_within(most).is_ok();
            assert_eq!(
                share.burst_micros_within(most).is_ok(),
                is_valid,
                "{quota:?}"
            );
        }
    }
}
