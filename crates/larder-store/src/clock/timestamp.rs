use std::time::{Duration, SystemTime};

use crate::program::MAX_INT;

/// A moment on a store's clock, in microseconds since the Unix epoch, below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes the moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Adds microseconds, which may be negative. It saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Returns the time from `earlier` to this moment, or zero if it lies before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// It saturates at 2^53 microseconds before and after the epoch, and drops what is below a microsecond.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |span: Duration| {
            i64::try_from(span.as_micros())
                .unwrap_or(MAX_INT)
                .min(MAX_INT)
        };
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// It saturates at 2^53 microseconds before and after the epoch.
impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_micros(time.0.clamp(-MAX_INT, MAX_INT).unsigned_abs());
        let there = match time.0 < 0 {
            true => Self::UNIX_EPOCH.checked_sub(span),
            false => Self::UNIX_EPOCH.checked_add(span),
        };
        // Every clock can tell times of these 285 years.
        there.unwrap_or(Self::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::Timestamp;
    use crate::program::MAX_INT;

    #[test]
    fn a_system_time_and_back_is_the_same_moment() {
        for micros in [0, 1, -1, 1_795_392_000_000_001, MAX_INT, -MAX_INT] {
            let time = SystemTime::from(Timestamp::from_micros(micros));
            assert_eq!(Timestamp::from(time).as_micros(), micros);
        }
        let monday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_392_000);
        let monday = Timestamp::from(monday + Duration::from_nanos(1_999));
        assert_eq!(monday.as_micros(), 1_795_392_000_000_001);
    }

    #[test]
    fn moments_out_of_range_become_the_nearest_in_range() {
        for (micros, nearest) in [(i64::MAX, MAX_INT), (i64::MIN, -MAX_INT)] {
            let time = SystemTime::from(Timestamp::from_micros(micros));
            assert_eq!(Timestamp::from(time).as_micros(), nearest);
        }
        let Some(far) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 40)) else {
            return;
        };
        assert_eq!(Timestamp::from(far).as_micros(), MAX_INT);
    }
}
