//! The faults of records and programs.

macro_rules! programs_faults {
    ($($before:tt)*) => { bus_faults! { $($before)*
        /// Each step finds no record.
        StepsStartOver,
        /// An awaited step finds no record, but a step that is ready at once does.
        CallStartsOver,
        /// A removal answers that it removed, and does not.
        RemovalIsForgotten,
        /// Reading an absent record makes one.
        ReadingMakesRecords,
        /// Reading a record removes it.
        ReadingRemovesRecords,
        /// An inspection shows nothing.
        InspectionIsEmpty,
        /// A record of another type is overwritten.
        OtherTypeIsReplaced,
        /// A record of another type is refused, and removed.
        OtherTypeIsRemoved,
        /// Integers past 2^52 are refused.
        NarrowIntegers,
        /// Integers past 2^53 are taken, and the step is not run.
        WideIntegers,
        /// Arguments have to be text.
        TextArguments,
        /// The time of programs falls by a second each time it is asked.
        TimeGoesBack,
        /// The time of programs stands still.
        TimeStandsStill,
        /// A record never ends.
        RecordsNeverEnd,
        /// A step never lengthens the TTL of its record.
        StepOnlyShortens,
        /// A step never shortens the TTL of its record.
        StepOnlyLengthens,
        /// Reading a record extends its TTL by a minute.
        ReadingExtendsRecords,
        /// A step that writes nothing extends its record by a minute.
        RefusedStepExtends,
        /// A step never lengthens the TTL of a record of several parts.
        PartsOnlyShorten,
        /// A step never shortens the TTL of a record of several parts.
        PartsOnlyLengthen,
        /// A step takes its record, waits, and puts it back.
        StepsRace,
        /// Every twentieth step is refused.
        RefusesEveryTwentiethStep,
        /// A step on a record of several parts takes it, waits, and puts it back.
        PartsRace,
        /// A step that is dropped runs again.
        CancelledStepRunsTwice,
        /// `run_many` takes each step for the record of the next.
        RunManyShifts,
        /// `run_many` runs backwards.
        RunManyReverses,
        /// One error of `run_many` is the answer to all.
        RunManyFailsWhole,
        /// `run_many` ends after 100 steps.
        RunManyEndsAt100,
        /// The time that is known without asking is an hour ahead.
        NowIsAhead,
        /// The time that is known without asking is a week behind.
        NowIsBehind,
        /// The time that is known without asking stands still.
        NowStandsStill,
        /// `run_many` of several programs runs only the first one.
        RunManyKnowsOneProgram,
    } };
}
