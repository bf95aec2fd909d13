use std::sync::Arc;

use larder_store::{Clock, SystemClock, Timestamp};

/// The cache's time. A near hit asks it whether a deadline is ahead, and nothing else.
///
/// To read a precise clock is a fifth of a near hit, because the processor waits for what is under
/// way. The system's coarse clock is nearly free and lags by a tick of a few milliseconds; so it
/// answers where the deadline is far ahead of it, and the precise one answers near a deadline.
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    coarse: Option<coarse::Coarse>,
}

/// How far the coarse clock is trusted to lag: many ticks, for machines whose ticks come late.
const MARGIN_MICROS: i64 = 100_000;

impl Time {
    /// The system's time.
    pub(crate) fn system() -> Self {
        let clock = SystemClock::default();
        Self {
            coarse: coarse::Coarse::new(&clock),
            clock: Arc::new(clock),
        }
    }

    /// The time of `clock` alone.
    pub(crate) fn of(clock: impl Clock) -> Self {
        Self {
            clock: Arc::new(clock),
            coarse: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether `deadline` is still ahead.
    pub(crate) fn is_before(&self, deadline: Timestamp) -> bool {
        let far_ahead = self
            .coarse
            .as_ref()
            .is_some_and(|coarse| coarse.now().plus_micros(MARGIN_MICROS) < deadline);
        far_ahead || self.now() < deadline
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod coarse {
    use larder_store::{Clock, SystemClock, Timestamp};
    use rustix::time::{ClockId, clock_gettime};

    /// The kernel's monotonic clock as of its last tick.
    pub(super) struct Coarse {
        offset_micros: i64,
    }

    impl Coarse {
        pub(super) fn new(clock: &SystemClock) -> Option<Self> {
            // In this order, so that the offset is too large rather than too small.
            let monotonic = micros(ClockId::Monotonic);
            let offset_micros = clock.now().as_micros() - monotonic;
            Some(Self { offset_micros })
        }

        pub(super) fn now(&self) -> Timestamp {
            Timestamp::from_micros(micros(ClockId::MonotonicCoarse)).plus_micros(self.offset_micros)
        }
    }

    fn micros(clock: ClockId) -> i64 {
        let time = clock_gettime(clock);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod coarse {
    use larder_store::{SystemClock, Timestamp};

    /// There is none here.
    pub(super) enum Coarse {}

    impl Coarse {
        pub(super) fn new(_: &SystemClock) -> Option<Self> {
            None
        }

        pub(super) fn now(&self) -> Timestamp {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_store::ManualClock;

    use super::*;

    #[test]
    fn the_coarse_clock_never_runs_ahead() {
        let time = Time::system();
        let Some(coarse) = &time.coarse else { return };
        for _ in 0..1_000 {
            let (tick, now) = (coarse.now(), time.now());
            let lag = now.as_micros() - tick.as_micros();
            // How far it lags is not asserted: the test may be put to sleep between the two.
            assert!(lag > -1_000, "it is ahead by {} us", -lag);
        }
    }

    #[test]
    fn a_deadline_that_is_close_is_told_by_the_precise_clock() {
        let time = Time::system();
        let deadline = time.now().plus_micros(30_000);
        while time.now() < deadline {
            std::hint::spin_loop();
        }
        assert!(!time.is_before(deadline));
        assert!(time.is_before(time.now().plus_micros(60_000_000)));
    }

    #[test]
    fn a_clock_of_ones_own_is_the_only_one() {
        let clock = ManualClock::default();
        let time = Time::of(clock.clone());
        let deadline = time.now().plus_micros(1);
        assert!(time.is_before(deadline));
        clock.advance_micros(1);
        assert!(!time.is_before(deadline));
    }
}
