use rustix::time::{ClockId, clock_gettime};

use super::Timestamp;

/// The kernel's coarse monotonic clock, on the scale of a system clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoarseClock {
    offset_micros: i64,
}

impl CoarseClock {
    /// Makes a coarse clock that agrees with the precise one, which `now` reads.
    pub(super) fn new(now: impl FnOnce() -> Timestamp) -> Self {
        // In this order, so that the offset is too large rather than too small.
        let monotonic = micros(ClockId::Monotonic);
        Self {
            offset_micros: now().as_micros() - monotonic,
        }
    }

    pub(super) fn now(self) -> Timestamp {
        Timestamp::from_micros(micros(ClockId::MonotonicCoarse)).plus_micros(self.offset_micros)
    }
}

fn micros(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}
