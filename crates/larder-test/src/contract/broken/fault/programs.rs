//! The faults of records and programs.

macro_rules! programs_faults {
    ($($before:tt)*) => { bus_faults! { $($before)*
        /// Every step finds no record.
        StepsStartOver,
        /// A step that is awaited finds no record; one that is ready at once does.
        CallStartsOver,
        /// A step that removes its record reports that, and does not remove it.
        RemovalIsForgotten,
        /// Reading an absent record makes one.
        ReadingMakesRecords,
        /// Reading a record removes it.
        ReadingRemovesRecords,
        /// An inspection shows no fields.
        InspectionIsEmpty,
        /// A record of another type is overwritten.
        OtherTypeIsReplaced,
        /// A record of another type is refused, and removed.
        OtherTypeIsRemoved,
        /// Integers past 2^52 are refused.
        NarrowIntegers,
        /// Integers past 2^53 are accepted, and the step does not run.
        WideIntegers,
        /// Arguments that are not text are refused.
        TextArguments,
        /// The time of programs goes back by a second each time.
        TimeGoesBack,
        /// The time of programs does not change.
        TimeStandsStill,
        /// A record never expires.
        RecordsNeverEnd,
        /// A step never lengthens the TTL of its record.
        StepOnlyShortens,
        /// A step never shortens the TTL of its record.
        StepOnlyLengthens,
        /// Reading a record extends its TTL by a minute.
        ReadingExtendsRecords,
        /// A step that writes nothing extends the TTL of its record by a minute.
        RefusedStepExtends,
        /// A step never lengthens the TTL of a record of several parts.
        PartsOnlyShorten,
        /// A step never shortens the TTL of a record of several parts.
        PartsOnlyLengthen,
        /// A step takes its record away, waits, and puts it back before it runs.
        StepsRace,
        /// Every twentieth step is refused.
        RefusesEveryTwentiethStep,
        /// A step on a record of several parts takes it away, waits, and puts it back before it runs.
        PartsRace,
        /// A dropped step runs again.
        CancelledStepRunsTwice,
        /// `run_many` runs each step on the record of the next one.
        RunManyShifts,
        /// `run_many` runs the steps in reverse order.
        RunManyReverses,
        /// If one step of `run_many` fails, all fail.
        RunManyFailsWhole,
        /// `run_many` stops after 100 steps.
        RunManyEndsAt100,
        /// The time that is known without a round trip is an hour ahead.
        NowIsAhead,
        /// The time that is known without a round trip is a week behind.
        NowIsBehind,
        /// The time that is known without a round trip does not change.
        NowStandsStill,
        /// `run_many` of several programs runs only the first one.
        RunManyKnowsOneProgram,
    } };
}
