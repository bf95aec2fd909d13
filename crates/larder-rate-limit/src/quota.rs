use std::num::NonZeroU32;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Result, Ttl};

/// How much a visitor may use: `limit` units for each `period`, and up to `burst` units at once.
///
/// A unit is a request, unless a [cost](crate::RateLimiter::with_cost) says otherwise. The burst
/// is the limit where nothing else is said: from fresh, exactly `limit` requests pass at once,
/// then one for each `period / limit`.
///
/// That interval is whole microseconds, rounded down. So a limit may not be more than the period
/// has microseconds, and one above 10,000 a second may let up to a hundredth more through than it
/// says.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use larder_rate_limit::Quota;
///
/// const HUNDRED: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();
///
/// let quota = Quota::per_minute(HUNDRED).with_burst(FIVE);
/// assert_eq!(quota.interval(), Duration::from_millis(600));
/// assert!(Quota::new(HUNDRED, Duration::from_micros(99)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: NonZeroU32,
    period: Duration,
    burst: NonZeroU32,
}

impl Quota {
    /// `limit` units a second.
    pub const fn per_second(limit: NonZeroU32) -> Self {
        Self::unchecked(limit, Duration::from_secs(1))
    }

    /// `limit` units a minute.
    pub const fn per_minute(limit: NonZeroU32) -> Self {
        Self::unchecked(limit, Duration::from_secs(60))
    }

    /// `limit` units an hour.
    pub const fn per_hour(limit: NonZeroU32) -> Self {
        Self::unchecked(limit, Duration::from_secs(3600))
    }

    /// `limit` units for each `period`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the period is not 1 µs to 100 years, or has fewer microseconds
    /// than the limit has units. [`Gcra::new`](crate::Gcra::new) checks every quota, and its burst
    /// too.
    pub fn new(limit: NonZeroU32, period: Duration) -> Result<Self> {
        let quota = Self::unchecked(limit, period);
        quota.interval_micros()?;
        Ok(quota)
    }

    const fn unchecked(limit: NonZeroU32, period: Duration) -> Self {
        Self {
            limit,
            period,
            burst: limit,
        }
    }

    /// The same quota, of which `burst` units may be used at once.
    #[must_use]
    pub const fn with_burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// How many units come back in a period.
    pub const fn limit(&self) -> NonZeroU32 {
        self.limit
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many units may be used at once.
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// How long it takes for one unit to come back, in whole microseconds, rounded down.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(micros(self.period) / u64::from(self.limit.get()))
    }

    /// The interval in microseconds, at least one.
    pub(crate) fn interval_micros(&self) -> Result<i64> {
        let period = micros(self.period);
        if period == 0 || period > Ttl::MAX.as_micros().unsigned_abs() {
            return Err(invalid(
                "the period of a quota is between 1 µs and 100 years",
            ));
        }
        match period / u64::from(self.limit.get()) {
            0 => Err(invalid(
                "the limit of a quota is at most one unit for each microsecond of its period",
            )),
            // At most 100 years, which is 3.2e15.
            interval => Ok(interval as i64),
        }
    }
}

/// Whole microseconds, rounded down; those past `u64` are far past every bound.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The error of a limiter that cannot be built: `expected` says how it can.
pub(crate) fn invalid(expected: &'static str) -> Error {
    Error::new("build a rate limit", ErrorKind::Invalid, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn the_burst_is_the_limit_until_it_is_set() {
        assert_eq!(Quota::per_second(n(7)).burst(), n(7));
        assert_eq!(Quota::per_second(n(7)).with_burst(n(1)).burst(), n(1));
    }

    #[test]
    fn the_interval_is_rounded_down() {
        assert_eq!(
            Quota::per_second(n(7)).interval(),
            Duration::from_micros(142_857)
        );
        assert_eq!(Quota::per_hour(n(1)).interval(), Duration::from_secs(3600));
    }

    #[test]
    fn a_period_of_nothing_or_of_centuries_is_refused_and_the_text_says_what_is_allowed() {
        let century = Duration::from_micros(Ttl::MAX.as_micros().unsigned_abs());
        assert!(Quota::new(n(1), century).is_ok());
        for wrong in [
            Duration::ZERO,
            Duration::from_nanos(999),
            century + Duration::from_micros(1),
            Duration::MAX,
        ] {
            let error = Quota::new(n(1), wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(
                error.to_string().contains("between 1 µs and 100 years"),
                "{error}"
            );
        }
    }

    #[test]
    fn more_units_than_microseconds_are_refused() {
        assert!(Quota::new(n(50), Duration::from_micros(50)).is_ok());
        let error = Quota::new(n(51), Duration::from_micros(50)).unwrap_err();
        assert!(
            error.to_string().contains("one unit for each microsecond"),
            "{error}"
        );
    }
}
