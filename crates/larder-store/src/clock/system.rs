use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::coarse::CoarseClock;
use super::{Clock, Timestamp};

/// The monotonic clock of the system, set to the wall clock when it is made.
///
/// A later step of the wall clock does not move it. Time in which the machine is suspended does not count.
///
/// Reading it takes 20 to 100 ns. The processor's counter is faster to read, but its reads are not ordered with
/// other threads' memory accesses: time would go back by some microseconds from one thread to the next.
///
/// Linux also has a coarse clock, which takes 4 ns and lags by a tick of a few milliseconds.
/// [`now_between`](Clock::now_between) reads the coarse clock where there is one, and
/// [`is_before`](Clock::is_before) reads the precise clock only close to the deadline.
#[derive(Clone, Debug)]
pub struct SystemClock {
    precise: Precise,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    coarse: CoarseClock,
}

/// The maximum lag of the coarse clock.
///
/// It is many ticks long, for machines whose ticks come late.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_LAG_MICROS: i64 = 100_000;

/// The maximum lead of the coarse clock: the time between the two reads that set it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_LEAD_MICROS: i64 = 1_000;

#[derive(Clone, Copy, Debug)]
struct Precise {
    started: Instant,
    wall_micros: i64,
}

impl Default for SystemClock {
    fn default() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let precise = Precise {
            started: Instant::now(),
            wall_micros: i64::try_from(wall.as_micros()).unwrap_or(0),
        };
        Self {
            precise,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            coarse: CoarseClock::new(|| precise.now()),
        }
    }
}

impl Precise {
    fn now(self) -> Timestamp {
        let passed = self.started.elapsed();
        // One multiplication, where `as_micros` uses 128 bits. It does not overflow while any process runs.
        let micros = passed.as_secs() * 1_000_000 + u64::from(passed.subsec_micros());
        Timestamp::from_micros(self.wall_micros).plus_micros(micros as i64)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.precise.now()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_before(&self, deadline: Timestamp) -> bool {
        self.coarse.now().plus_micros(MAX_LAG_MICROS) < deadline || self.now() < deadline
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn now_between(&self) -> (Timestamp, Timestamp) {
        let coarse = self.coarse.now();
        (
            coarse.plus_micros(-MAX_LEAD_MICROS),
            coarse.plus_micros(MAX_LAG_MICROS),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_never_goes_back_for_threads_that_read_it_in_turn() {
        static LATEST: AtomicI64 = AtomicI64::new(0);
        let clock = SystemClock::default();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_millis(50) {
                        for _ in 0..100 {
                            let before = LATEST.load(Ordering::SeqCst);
                            let now = clock.now().as_micros();
                            assert!(now >= before, "back by {} us", before - now);
                            LATEST.fetch_max(now, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn the_coarse_clock_never_runs_ahead() {
        let clock = SystemClock::default();
        for _ in 0..1_000 {
            let (tick, now) = (clock.coarse.now(), clock.now());
            let lag = now.as_micros() - tick.as_micros();
            // How far it lags is not asserted: the test may be put to sleep between the two.
            assert!(lag > -MAX_LEAD_MICROS, "it is ahead by {} us", -lag);
            assert!(clock.now_between().0 <= clock.now());
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_coarse_clock_does_not_run_ahead_if_its_thread_slept_while_it_was_set() {
        let precise = SystemClock::default().precise;
        let mut sleeps = true;
        let coarse = CoarseClock::new(|| {
            if std::mem::take(&mut sleeps) {
                thread::sleep(Duration::from_millis(50));
            }
            precise.now()
        });
        let lead = coarse.now().as_micros() - precise.now().as_micros();
        assert!(lead < MAX_LEAD_MICROS, "it is ahead by {lead} us");
    }

    #[test]
    fn a_deadline_is_behind_as_soon_as_the_precise_clock_has_passed_it() {
        let clock = SystemClock::default();
        let deadline = clock.now().plus_micros(30_000);
        while clock.now() < deadline {
            std::hint::spin_loop();
        }
        assert!(!clock.is_before(deadline));
        assert!(clock.is_before(clock.now().plus_micros(60_000_000)));
    }
}
