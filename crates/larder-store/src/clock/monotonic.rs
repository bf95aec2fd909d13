//! A monotonic clock that costs less than the system's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use super::anchor::{Anchor, Anchors, Speed};

/// Returns the nanoseconds since the clock was first read in this process.
pub(super) fn now() -> u64 {
    static CLOCK: Monotonic = Monotonic::new();
    CLOCK.now()
}

/// The system's monotonic clock, and between two reads of it a counter of the processor.
///
/// Reading the system's clock takes 20 to 100 ns, and reading a counter some 8. The counter is used once
/// the clock has been read often, and only if the kernel itself trusts it. The system's clock is read
/// again each 100 µs, and decides: the counter is never believed for longer, so nothing drifts. A processor may
/// read the counter before it has done what comes first, some hundred instructions away.
#[derive(Debug)]
struct Monotonic {
    started: OnceLock<Instant>,
    reads: AtomicU32,
    counter: OnceLock<quanta::Clock>,
    anchors: Anchors,
    /// The first moment by both clocks, from which the counter's speed is measured.
    first: Mutex<Option<(u64, u64)>>,
}

/// The number of reads after which a counter is worth its calibration.
const MANY: u32 = 10_000;

impl Monotonic {
    const fn new() -> Self {
        Self {
            started: OnceLock::new(),
            reads: AtomicU32::new(0),
            counter: OnceLock::new(),
            anchors: Anchors::new(),
            first: Mutex::new(None),
        }
    }

    fn now(&'static self) -> u64 {
        match self.counter.get() {
            Some(counter) => self.counted(counter),
            None => self.uncounted(),
        }
    }

    fn counted(&self, counter: &quanta::Clock) -> u64 {
        loop {
            let (anchor, generation) = self.anchors.read();
            let now = anchor.at(counter.raw());
            if let Some(now) = now.or_else(|| self.read_again(counter, anchor, generation)) {
                return now;
            }
        }
    }

    /// Reads the system's clock, and makes that the next anchor. None if another thread just did.
    #[cold]
    fn read_again(&self, counter: &quanta::Clock, anchor: Anchor, generation: u64) -> Option<u64> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if self.anchors.read().1 != generation {
            return None;
        }
        // In this order, so that the counter is behind the system's clock rather than ahead.
        let nanos = self.system();
        let ticks = counter.raw();
        let is_first = first.is_none_or(|first| ticks < first.1);
        if is_first || anchor.is_before_a_jump(nanos, ticks) {
            *first = Some((nanos, ticks));
        }
        let speed = first.and_then(|first| Speed::between(first, (nanos, ticks)));
        let next = anchor.next(nanos, ticks, speed);
        self.anchors.write(next);
        Some(next.start())
    }

    fn uncounted(&'static self) -> u64 {
        let now = self.system();
        // A counter that was found after this read has given nothing earlier.
        if let Some(counter) = self.counter.get() {
            return self.counted(counter);
        }
        if self.reads.load(Ordering::Relaxed) < MANY
            && self.reads.fetch_add(1, Ordering::Relaxed) == MANY - 1
        {
            self.find_counter();
        }
        now
    }

    /// Calibrates a counter in a thread of its own: that takes up to a fifth of a second.
    fn find_counter(&'static self) {
        if !kernel_trusts_counter() {
            return;
        }
        let thread = thread::Builder::new().name("larder-clock".to_owned());
        // Without a thread, the clock stays as it is.
        let _ = thread.spawn(|| self.counter.set(quanta::Clock::new()));
    }

    fn system(&self) -> u64 {
        let passed = self.started.get_or_init(Instant::now).elapsed();
        // Two multiplications, where `as_nanos` uses 128 bits. It lasts for 500 years.
        passed.as_secs() * 1_000_000_000 + u64::from(passed.subsec_nanos())
    }
}

/// Returns whether the kernel tells the time by the counter too: only then is it steady, and the same on
/// all cores.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kernel_trusts_counter() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    const TRUSTED: [&str; 4] = [
        "tsc",
        "kvm-clock",
        "hyperv_clocksource_tsc_page",
        "arch_sys_counter",
    ];
    std::fs::read_to_string(SOURCE).is_ok_and(|name| TRUSTED.contains(&name.trim()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn kernel_trusts_counter() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_back_by_less_than_a_microsecond_between_threads_and_stays_with_the_systems() {
        // A processor reads its counter ahead of the load before it.
        const AHEAD: u64 = 1_000;
        static CLOCK: Monotonic = Monotonic::new();
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let _ = CLOCK.counter.set(quanta::Clock::new());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_millis(50) {
                        for _ in 0..100 {
                            let before = LATEST.load(Ordering::SeqCst);
                            let (now, next) = (CLOCK.now(), CLOCK.now());
                            assert!(next >= now, "back by {} ns in a thread", now - next);
                            let back = before.saturating_sub(now);
                            assert!(back < AHEAD, "back by {back} ns");
                            LATEST.fetch_max(now, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        // A thread may be put to sleep between any two of these: one of many tries is not.
        let is_close = |_| {
            let (before, now, after) = (CLOCK.system(), CLOCK.now(), CLOCK.system());
            now + 200_000 > before && now < after + 200_000
        };
        assert!((0..1_000).any(is_close));
    }

    #[test]
    fn a_counter_that_jumps_is_measured_anew_and_does_not_stop_the_clock() {
        let hour = Duration::from_secs(3_600);
        let jumps: [fn(&quanta::Mock, Duration); 2] = [
            |ticks, by| ticks.decrement(by),
            |ticks, by| ticks.increment(by),
        ];
        for jump in jumps {
            let clock: &'static Monotonic = Box::leak(Box::new(Monotonic::new()));
            let (counter, ticks) = quanta::Clock::mock();
            let _ = clock.counter.set(counter);
            // A counter of 1 GHz that has run for two hours.
            ticks.increment(2 * hour);
            let go_on = || {
                for _ in 0..3 {
                    let began = Instant::now();
                    thread::sleep(Duration::from_millis(2));
                    ticks.increment(began.elapsed());
                    clock.now();
                }
            };
            let is_believed = || clock.anchors.read().0.at(ticks.value()).is_some();
            go_on();
            assert!(is_believed(), "its speed is known");
            jump(&ticks, hour);
            let before = clock.now();
            go_on();
            let passed = clock.now() - before;
            assert!(passed >= 5_000_000, "{passed} ns in 6 ms");
            assert!(is_believed(), "its speed is not known again");
        }
    }

    #[test]
    fn a_clock_that_is_read_often_finds_a_counter_if_the_kernel_trusts_one() {
        static CLOCK: Monotonic = Monotonic::new();
        let mut latest = 0;
        for _ in 0..MANY {
            let now = CLOCK.now();
            assert!(now >= latest);
            latest = now;
        }
        let began = Instant::now();
        while kernel_trusts_counter() && CLOCK.counter.get().is_none() {
            assert!(CLOCK.now() >= latest);
            assert!(began.elapsed() < Duration::from_secs(60), "none is found");
            thread::yield_now();
        }
        assert!(CLOCK.now() >= latest);
    }
}
