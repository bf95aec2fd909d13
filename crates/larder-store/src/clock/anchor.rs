//! Time between two reads of the system's clock, by a counter of the processor.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// The time for which a counter is trusted after the system's clock was read: 100 µs.
///
/// Whatever the counter does, the time that it tells is never wrong by much more.
pub(super) const WINDOW_NANOS: u64 = 100_000;

/// A moment by both clocks, and how fast the counter runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    nanos: u64,
    ticks: u64,
    /// The ticks for which this anchor is good. None at all if the counter's speed is not known yet.
    window: u64,
    /// Nanoseconds for each tick, as a fixed-point number of 32 bits behind the point.
    scale: u64,
}

impl Anchor {
    /// Returns the time at which it begins.
    pub(super) fn start(&self) -> u64 {
        self.nanos
    }

    /// Returns the time at `ticks`, if the window is not over.
    pub(super) fn at(&self, ticks: u64) -> Option<u64> {
        let passed = ticks.wrapping_sub(self.ticks) as i64;
        // A counter that is a little behind, on another core, stands still.
        (passed.unsigned_abs() < self.window).then(|| self.after(passed.max(0).unsigned_abs()))
    }

    /// Returns whether the counter has jumped since, by more than its speed explains.
    ///
    /// It begins anew when a machine was hibernated, and may go on while one is suspended.
    pub(super) fn is_before_a_jump(&self, nanos: u64, ticks: u64) -> bool {
        let passed = ticks.wrapping_sub(self.ticks) as i64;
        let counted = (i128::from(passed) * i128::from(self.scale)) >> 32;
        let passed = i128::from(nanos) - i128::from(self.nanos);
        let most = passed.unsigned_abs() / 2 + u128::from(10 * WINDOW_NANOS);
        self.scale > 0 && (counted - passed).unsigned_abs() > most
    }

    /// Returns the next anchor, for a moment by both clocks, and a counter of `speed`.
    ///
    /// It begins no earlier than this one ends, however late somebody still reads this one: so time never
    /// goes back. If this one was ahead of the system's clock, the next is slowed down by that much.
    pub(super) fn next(&self, nanos: u64, ticks: u64, speed: Option<Speed>) -> Self {
        let end = self.after(self.window);
        let ahead = end.saturating_sub(nanos).min(WINDOW_NANOS);
        let scale = speed.map_or(0, |speed| speed.0);
        Self {
            nanos: nanos.max(end),
            ticks,
            window: (WINDOW_NANOS << 32).checked_div(scale).unwrap_or(0),
            scale: scale * (WINDOW_NANOS - ahead) / WINDOW_NANOS,
        }
    }

    /// The passed ticks are less than the window, whose product with the scale fits into 64 bits.
    fn after(&self, passed: u64) -> u64 {
        self.nanos + ((passed * self.scale) >> 32)
    }
}

/// How many nanoseconds a tick takes, as a fixed-point number of 32 bits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speed(u64);

impl Speed {
    /// Measures the speed between two moments by both clocks, each as nanoseconds and ticks.
    ///
    /// None if they are too close to each other, or if no counter runs like that.
    pub(super) fn between(first: (u64, u64), last: (u64, u64)) -> Option<Self> {
        let nanos = last.0.checked_sub(first.0)?;
        let ticks = last.1.checked_sub(first.1)?;
        if nanos < 10 * WINDOW_NANOS || ticks == 0 {
            return None;
        }
        let scale = (u128::from(nanos) << 32) / u128::from(ticks);
        // From 10 MHz to 100 GHz.
        let is_likely = (1 << 32) / 100..=(1_u128 << 32) * 100;
        is_likely.contains(&scale).then_some(Self(scale as u64))
    }
}

const SLOTS: u64 = 4;

/// The current [`Anchor`], which readers read without waiting for its writer.
///
/// The last few are kept, each in its own slot, so that a reader is disturbed only by several writes.
#[derive(Debug)]
pub(super) struct Anchors {
    generation: AtomicU64,
    slots: [[AtomicU64; 4]; SLOTS as usize],
}

impl Anchors {
    pub(super) const fn new() -> Self {
        Self {
            generation: AtomicU64::new(0),
            slots: [const { [const { AtomicU64::new(0) }; 4] }; SLOTS as usize],
        }
    }

    /// Returns the current anchor, and its number.
    pub(super) fn read(&self) -> (Anchor, u64) {
        loop {
            let generation = self.generation.load(Ordering::Acquire);
            let [nanos, ticks, window, scale] = self
                .slot(generation)
                .each_ref()
                .map(|field| field.load(Ordering::Relaxed));
            // Orders the fields before the check that nobody wrote them meanwhile.
            fence(Ordering::Acquire);
            if self.generation.load(Ordering::Relaxed) < generation + SLOTS - 1 {
                let anchor = Anchor {
                    nanos,
                    ticks,
                    window,
                    scale,
                };
                return (anchor, generation);
            }
        }
    }

    /// Makes `next` the current anchor. The caller holds the lock of writers.
    pub(super) fn write(&self, next: Anchor) {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        // Orders the earlier generations before the fields that readers of the oldest may see.
        fence(Ordering::Release);
        let fields = [next.nanos, next.ticks, next.window, next.scale];
        for (slot, field) in self.slot(generation).iter().zip(fields) {
            slot.store(field, Ordering::Relaxed);
        }
        self.generation.store(generation, Ordering::Release);
    }

    fn slot(&self, generation: u64) -> &[AtomicU64; 4] {
        &self.slots[(generation % SLOTS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A counter of 3 GHz.
    const SPEED: Speed = Speed((1 << 32) / 3);

    #[test]
    fn a_speed_is_measured_over_a_while_and_an_unlikely_one_is_not_believed() {
        let since = (5_000_000, 1_000);
        let after = |nanos, ticks| Speed::between(since, (since.0 + nanos, since.1 + ticks));
        assert_eq!(after(2_000_000, 6_000_000), Some(SPEED));
        for (nanos, ticks) in [(900_000, 2_700_000), (2_000_000, 0), (2_000_000, 1)] {
            assert_eq!(after(nanos, ticks), None);
        }
        assert_eq!(Speed::between((1, 1), (0, 0)), None);
    }

    #[test]
    fn an_anchor_is_good_for_its_window_and_the_first_for_nothing() {
        assert_eq!(Anchor::default().at(u64::MAX), None);
        let anchor = Anchor::default().next(7_000, 40, Some(SPEED));
        assert_eq!(anchor.at(0), Some(7_000), "a counter that went back");
        assert_eq!(anchor.at(40), Some(7_000));
        assert!(anchor.at(40 + 3_000).unwrap().abs_diff(8_000) <= 1);
        assert!(anchor.at(40 + 3 * WINDOW_NANOS - 10).is_some());
        assert_eq!(anchor.at(40 + 3 * WINDOW_NANOS + 10), None);
        let later = anchor.next(9_000, 40 + 4 * WINDOW_NANOS, Some(SPEED));
        assert_eq!(later.at(40), None, "a counter that began anew");
    }

    #[test]
    fn a_jump_is_told_from_a_long_silence() {
        const HOUR: u64 = 3_600_000_000_000;
        let anchor = Anchor::default().next(7_000, 1 << 40, Some(SPEED));
        let at = |nanos: u64, ticks: i64| {
            let ticks = (1_u64 << 40).wrapping_add_signed(ticks);
            anchor.is_before_a_jump(7_000 + nanos, ticks)
        };
        assert!(!at(0, 0) && !at(HOUR, 3 * HOUR as i64) && !at(900_000, 0));
        assert!(at(0, -4_000_000) && at(0, 4_000_000) && at(HOUR, 0));
        assert!(at(HOUR, 9 * HOUR as i64));
        assert!(!Anchor::default().is_before_a_jump(HOUR, 0));
    }

    proptest! {
        /// Readers hold any anchor for any time, on a counter of any speed.
        #[test]
        fn time_never_goes_back_and_is_never_far_from_the_systems(
            real_speed in 1_u64..8,
            steps in proptest::collection::vec((0_u64..300_000, 0_u64..20_000_000), 1..60),
        ) {
            let (mut nanos, mut ticks) = (1_000_000, 500);
            let mut anchor = Anchor::default().next(nanos, ticks, Some(SPEED));
            let mut latest = anchor.at(ticks).unwrap();
            for (passes, late) in steps {
                nanos += passes;
                ticks += passes * real_speed;
                let stale = anchor;
                let now = anchor.at(ticks).unwrap_or_else(|| {
                    anchor = anchor.next(nanos, ticks, Some(SPEED));
                    anchor.at(ticks).unwrap()
                });
                prop_assert!(now >= latest, "back by {}", latest - now);
                prop_assert!(now.abs_diff(nanos) <= WINDOW_NANOS + 300_000);
                latest = now;
                // Somebody who took the anchor before it was replaced reads the counter only now.
                if let Some(read) = stale.at(ticks + late) {
                    prop_assert!(stale == anchor || read <= now);
                }
            }
        }

        #[test]
        fn a_clock_that_was_ahead_is_back_within_a_window(ahead in 0_u64..WINDOW_NANOS) {
            let first = Anchor::default().next(1_000_000 + ahead, 0, Some(SPEED));
            // The window has ended by the counter, and less time has passed by the system's clock.
            let end = first.after(first.window);
            let second = first.next(end - ahead, first.window, Some(SPEED));
            prop_assert_eq!(second.at(first.window), Some(end));
            let after = second.after(second.window);
            prop_assert!(after.abs_diff(end - ahead + WINDOW_NANOS) <= 2);
        }
    }
}
