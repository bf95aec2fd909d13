//! The faults of waits for records.

macro_rules! waits_faults {
    ($($before:tt)*) => { scans_faults! { $($before)*
        /// A step wakes nobody.
        WakesNobody,
        /// A wake before a waiter asks is lost.
        EarlyWakesAreLost,
        /// A step wakes one of those who wait.
        WakesOne,
        /// A waiter is woken once.
        WakesOnce,
        /// A waiter that was woken once is woken whenever it asks.
        WakesForEver,
        /// Each step wakes.
        EveryStepWakes,
        /// A step wakes those who wait for any record.
        WakesEverybody,
        /// A step wakes before it changes anything.
        WakesBeforeTheStep,
        /// A step of `run_many` wakes nobody.
        RunManyWakesNobody,
        /// A waiter that leaves takes all wakes of its record with it.
        LeavingTakesWakes,
        /// A wait that is dropped takes the next wake.
        DroppedWaitsLoseWakes,
        /// A value is waited for.
        WaitsForValues,
    } };
}
