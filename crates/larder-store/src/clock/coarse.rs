use rustix::time::{ClockId, clock_gettime};

use super::Timestamp;

/// How many times the offset is measured.
const TRIES: u32 = 8;

/// The kernel's coarse monotonic clock, on the scale of a system clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoarseClock {
    offset_micros: i64,
}

impl CoarseClock {
    /// Makes a coarse clock that agrees with the precise one, which `now` reads.
    pub(super) fn new(mut now: impl FnMut() -> Timestamp) -> Self {
        // In this order, so that the offset is too large rather than too small: by the time between the two
        // reads. A thread may be suspended in between, but not at every attempt.
        let mut offset = || {
            let monotonic = micros(ClockId::Monotonic);
            now().as_micros() - monotonic
        };
        Self {
            offset_micros: (1..TRIES).fold(offset(), |least, _| least.min(offset())),
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
