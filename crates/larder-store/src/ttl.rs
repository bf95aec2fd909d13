use std::num::NonZeroU64;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// The lifetime of a key in whole milliseconds, from 1 ms to 100 years.
///
/// There is no zero and no "for ever": every key has an end. A duration that is not whole
/// milliseconds is rounded up, so that a key never ends before it was asked to.
///
/// ```
/// use std::time::Duration;
/// use larder_store::Ttl;
///
/// const HOUR: Ttl = Ttl::from_secs(3600);
/// assert_eq!(HOUR.as_millis(), 3_600_000);
/// assert_eq!(Ttl::try_from(Duration::from_nanos(1))?.as_millis(), 1);
/// assert!(Ttl::try_from(Duration::ZERO).is_err());
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(NonZeroU64);

const MAX_MILLIS: u64 = 100 * 31_557_600_000;

impl Ttl {
    /// The longest TTL: 100 years.
    ///
    /// Deadlines in microseconds stay below 2^53 with it.
    pub const MAX: Self = Self::from_millis(MAX_MILLIS);

    /// Makes a TTL of `millis` milliseconds, for constants.
    ///
    /// # Panics
    /// At zero and past 100 years; in a `const` that is a compile error. For a number from outside
    /// use `Ttl::try_from(Duration)`.
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        assert!(
            millis <= MAX_MILLIS,
            "a TTL is between 1 ms and 100 years: this is longer"
        );
        match NonZeroU64::new(millis) {
            Some(millis) => Self(millis),
            None => panic!("a TTL is between 1 ms and 100 years: this is zero"),
        }
    }

    /// Makes a TTL of `secs` seconds, for constants.
    ///
    /// # Panics
    /// At zero and past 100 years; in a `const` that is a compile error. For a number from outside
    /// use `Ttl::try_from(Duration)`.
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Makes the shortest TTL that covers `micros` microseconds, from 1 ms to 100 years.
    ///
    /// For programs, which compute in microseconds and have checked their input.
    #[inline]
    pub const fn covering_micros(micros: i64) -> Self {
        let millis = if micros <= 0 {
            1
        } else {
            (micros as u64).div_ceil(1000)
        };
        Self::from_millis(if millis > MAX_MILLIS {
            MAX_MILLIS
        } else {
            millis
        })
    }

    /// Makes the shortest TTL that covers `duration`, from 1 ms to 100 years.
    ///
    /// For settings, where the nearest TTL is better than an error; `Ttl::try_from` is the strict form.
    pub const fn covering(duration: Duration) -> Self {
        let micros = duration.as_nanos().div_ceil(1000);
        Self::covering_micros(if micros > i64::MAX as u128 {
            i64::MAX
        } else {
            micros as i64
        })
    }

    /// Returns the TTL in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// Returns the TTL in microseconds.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        // At most 100 years, which is 3.2e15.
        (self.0.get() * 1000) as i64
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    /// Rounds up to whole milliseconds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a zero duration and for one past 100 years.
    fn try_from(duration: Duration) -> Result<Self, Error> {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        match u64::try_from(millis) {
            Ok(millis @ 1..=MAX_MILLIS) => Ok(Self::from_millis(millis)),
            _ => Err(Error::new(
                "ttl",
                ErrorKind::Invalid,
                format!(
                    "a TTL is between 1 ms and 100 years, this is {duration:?}: to remove a key use delete"
                ),
            )),
        }
    }
}

impl From<Ttl> for Duration {
    fn from(ttl: Ttl) -> Self {
        Self::from_millis(ttl.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_millisecond_is_rounded_up() {
        for (nanos, millis) in [(1, 1), (1_000_000, 1), (1_000_001, 2), (2_999_999, 3)] {
            let ttl = Ttl::try_from(Duration::from_nanos(nanos)).unwrap();
            assert_eq!(ttl.as_millis(), millis, "{nanos} ns");
        }
    }

    #[test]
    fn zero_and_more_than_a_century_are_refused_and_the_text_says_why() {
        for wrong in [
            Duration::ZERO,
            Duration::from_millis(MAX_MILLIS + 1),
            Duration::MAX,
        ] {
            let error = Ttl::try_from(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(
                error.to_string().contains("between 1 ms and 100 years"),
                "{error}"
            );
        }
        assert_eq!(
            Ttl::try_from(Duration::from_millis(MAX_MILLIS)).unwrap(),
            Ttl::MAX
        );
    }

    #[test]
    fn covering_never_ends_early() {
        for (micros, millis) in [(i64::MIN, 1), (0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(Ttl::covering_micros(micros).as_millis(), millis);
        }
        assert_eq!(Ttl::covering_micros(i64::MAX), Ttl::MAX);
        for (nanos, millis) in [(0, 1), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(Ttl::covering(duration).as_millis(), millis);
        }
        assert_eq!(Ttl::covering(Duration::MAX), Ttl::MAX);
    }
}
