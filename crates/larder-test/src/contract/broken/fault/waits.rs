//! The faults of waits for records.

macro_rules! waits_faults {
    ($($before:tt)*) => { scans_faults! { $($before)*
        /// A step wakes nobody.
        WakesNobody,
        /// A wake before the waiter waits is lost.
        EarlyWakesAreLost,
        /// A step wakes only one waiter.
        WakesOne,
        /// A waiter is woken only once.
        WakesOnce,
        /// A waiter that was woken once is woken every time that it waits.
        WakesForEver,
        /// Every step wakes, even without a wake.
        EveryStepWakes,
        /// A step wakes the waiters of all records.
        WakesEverybody,
        /// A step wakes before it changes its record.
        WakesBeforeTheStep,
        /// A step of `run_many` wakes nobody.
        RunManyWakesNobody,
        /// A dropped waiter takes all later wakes of its record.
        LeavingTakesWakes,
        /// A dropped wait loses the next wake.
        DroppedWaitsLoseWakes,
        /// A wait for a value is accepted.
        WaitsForValues,
    } };
}
