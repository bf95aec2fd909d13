use std::time::Duration;

/// The pauses before a failed job is tried again.
///
/// The default begins at 5 s and doubles with each attempt up to 1 h; each pause is a random part
/// of that ("full jitter"), so that jobs that failed together are not tried again together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    is_random: bool,
}

impl Backoff {
    /// Makes a backoff of at most `first`, doubled with each attempt up to `longest`.
    ///
    /// Each pause is drawn at random between zero and that bound.
    pub const fn exponential(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            is_random: true,
        }
    }

    /// Makes a backoff with the same pause each time.
    pub const fn constant(pause: Duration) -> Self {
        Self {
            first: pause,
            longest: pause,
            is_random: false,
        }
    }

    /// Returns the pause after `attempt`, which counts from 1; `random` is from 0 to 1.
    pub(crate) fn pause(self, attempt: u32, random: f64) -> Duration {
        let doubled = 1_u32 << attempt.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(doubled).min(self.longest);
        match self.is_random {
            true => bound.mul_f64(random),
            false => bound,
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(5), Duration::from_secs(3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_cap_and_is_a_random_part_of_it() {
        let second = Duration::from_secs(1);
        let backoff = Backoff::exponential(second, 10 * second);
        let bounds: Vec<_> = (1..7).map(|n| backoff.pause(n, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.pause(3, 0.25), second);
        assert_eq!(backoff.pause(u32::MAX, 0.0), Duration::ZERO);
        assert_eq!(backoff.pause(0, 1.0), second);
        let longest = Backoff::exponential(Duration::MAX, Duration::from_secs(9));
        assert_eq!(longest.pause(40, 1.0).as_secs(), 9);
    }

    #[test]
    fn a_constant_pause_is_not_drawn() {
        let backoff = Backoff::constant(Duration::from_secs(7));
        assert_eq!(backoff.pause(5, 0.0).as_secs(), 7);
    }
}
