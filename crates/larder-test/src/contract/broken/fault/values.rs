//! The faults of values.

macro_rules! values_faults {
    ($($before:tt)*) => { programs_faults! { $($before)*
        /// A get of an absent key returns an empty value.
        MissIsEmpty,
        /// A get of an absent key is an error.
        MissIsAnError,
        /// A put that has stored its value returns `NotStored`.
        PutAnswersFalse,
        /// A get returns the answer of the first get of its key for ever.
        CachesReads,
        /// A get removes the value.
        GetConsumes,
        /// A get extends the TTL of its value by a minute.
        GetExtends,
        /// A get leaves its value a TTL of at most a second.
        GetShortensTtl,
        /// A get of an empty value is a miss.
        LosesEmptyValues,
        /// A value ends at its first NUL.
        StopsAtNul,
        /// A value is cut at 1 MiB.
        CutsAtOneMib,
        /// A shorter value keeps the rest of the longer one that it replaces.
        KeepsTheTail,

        /// Put if absent always stores its value.
        IgnoresIfAbsent,
        /// Put if present always stores its value.
        IgnoresIfPresent,
        /// Put if version stores its value over any version.
        IgnoresIfVersion,
        /// Put if version stores its value if the key is absent.
        AbsentMeetsIfVersion,
        /// Put if version accepts a version of another key.
        IfVersionOfAnyKey,
        /// A put whose condition is not met returns `NotStored` and stores its value nevertheless.
        UnmetPutWrites,
        /// A put whose condition is not met sets its TTL.
        UnmetPutSetsTtl,
        /// A put whose condition is not met leaves the value a TTL of at most a second.
        UnmetPutShortensTtl,
        /// A put that is sent again gets another version.
        ResentPutIsNew,

        /// Delete always returns `Deleted`.
        DeleteAnswersTrue,
        /// Delete if present always returns `Deleted`.
        DeleteIfPresentAnswersTrue,
        /// Delete if absent ignores its condition.
        DeleteIfAbsentDeletes,
        /// Delete if version ignores its condition.
        DeleteIgnoresIfVersion,
        /// A delete whose condition is not met changes the version.
        UnmetDeleteMovesVersion,
        /// Expire of a deleted key makes the key again, with an empty value.
        DeletedCanBeExpired,
        /// Put if absent is not met by a deleted key.
        DeletedBlocksIfAbsent,

        /// A value is stored under a version other than that of the put.
        DrawsItsOwnVersion,
        /// An overwrite keeps the version.
        OverwriteKeepsVersion,
        /// A deleted key that is written again has its old version.
        DeleteKeepsVersion,
        /// An expired key that is written again has its old version.
        EndKeepsVersion,
        /// `get_many` returns random versions.
        GetManyDrawsVersions,

        /// A TTL reads as one millisecond more than it is.
        TtlReadsMore,
        /// A TTL is rounded down.
        TtlRoundsDown,
        /// A TTL is rounded up to a second.
        TtlReadsInSeconds,
        /// A put over a value keeps the old TTL.
        PutKeepsTtl,
        /// A value of put if absent never expires.
        IfAbsentNeverEnds,
        /// Put if present and put if version keep the old TTL.
        ConditionsKeepTtl,
        /// Expire never lengthens a TTL.
        ExpireOnlyShortens,
        /// Expire never shortens a TTL.
        ExpireOnlyLengthens,
        /// Expire changes the version.
        ExpireMovesVersion,
        /// Expire of an absent key makes the key, with an empty value.
        ExpireMakesKeys,
        /// A value with a TTL of more than 24 days expires at once.
        LongTtlOverflows,

        /// A value expires 1 ms too early.
        EndsEarly,
        /// A value expires 1 ms too late.
        EndsLate,
        /// An expired value still counts towards a limit of 68 MiB.
        EndedKeepsItsRoom,
        /// An expired value is never freed.
        EndedIsNeverFreed,
        /// A TTL of 1 ms is refused.
        RefusesOneMillisecond,
        /// Get returns expired values.
        ExpiredIsRead,
        /// `get_many` returns expired values.
        ExpiredIsReadWithOthers,
        /// An expired value has a TTL of 1 ms.
        ExpiredHasTtl,
        /// Expire revives an expired value.
        ExpireRevives,
        /// An expired value meets put if present.
        ExpiredMeetsIfPresent,
        /// An expired value meets put if version.
        ExpiredMeetsIfVersion,
        /// Put if absent is not met by an expired value.
        ExpiredBlocksIfAbsent,
        /// Delete of an expired value returns `Deleted`.
        ExpiredIsDeleted,
        /// An expired value meets the conditions of `put_many`.
        ExpiredMeetsPutMany,
        /// `delete_many` of an expired value returns `Deleted`.
        ExpiredIsDeletedWithOthers,
        /// A new value expires at the end of the TTL of the old one.
        OldEndTakesTheNew,

        /// `get_many` returns its answers in reverse order.
        GetManyReverses,
        /// `get_many` leaves out absent keys.
        GetManyDropsHoles,
        /// `get_many` returns a value for a repeated key only the first time.
        GetManyAnswersRepeatsOnce,
        /// `put_many` stores nothing if one condition is not met.
        PutManyIsAllOrNothing,
        /// `put_many` writes in reverse order.
        PutManyReverses,
        /// `put_many` gives all values the TTL of the first.
        PutManySharesTtl,
        /// `delete_many` ignores conditions.
        DeleteManyIgnoresConditions,
        /// `delete_many` returns the first answer for each repetition of a key.
        DeleteManyRepeatsAnswers,
        /// An empty batch has one answer.
        EmptyBatchHasAnAnswer,
        /// A batch stops after 512 items.
        BatchesEndAt512,
        /// A batch reads at most 1 MiB.
        BatchesEndAtOneMib,
        /// If `get_many` fails for one key, it fails for all.
        GetManyFailsWhole,
        /// If `put_many` fails for one put, it fails for all.
        PutManyFailsWhole,
        /// If `delete_many` fails for one delete, it fails for all.
        DeleteManyFailsWhole,

        /// Get and ttl treat the key of a record as absent.
        ReadsRecordKeys,
        /// Put on the key of a record returns `Stored`.
        WritesRecordKeys,
        /// Delete on the key of a record removes the record.
        RemovesRecords,
        /// A value over the limit is cut.
        CutsWhatIsTooLarge,
        /// A put over the limit removes the old value.
        TooLargeRemovesTheOld,
        /// A value over the limit is refused with Full.
        TooLargeIsFull,
        /// The location contains a password in front of the host.
        LocationHasPassword,
        /// The location contains a password as an option.
        LocationHasPasswordOption,

        /// Keys with one id are one key, whatever their kinds.
        IgnoresKinds,
        /// A key and its parts are one key.
        IgnoresParts,
        /// Keys that differ only in case are one key.
        FoldsCase,
        /// Keys with the same first 64 characters are one key.
        CutsKeys,
        /// Keys that differ only in line ends are one key.
        DropsLineEnds,

        /// `get_now` always returns a miss.
        GetNowMisses,
        /// `get_now` returns expired values.
        GetNowReadsExpired,
        /// A value of `put_now` never expires.
        PutNowNeverEnds,
        /// `put_now` ignores conditions.
        PutNowIgnoresConditions,
        /// `delete_now` ignores conditions.
        DeleteNowIgnoresConditions,

        /// Put if absent checks its condition, waits, and then writes.
        IfAbsentRaces,
        /// Put if version checks its condition, waits, and then writes.
        IfVersionRaces,
        /// Put if absent over an expired value checks its condition, waits, and then writes.
        TakeoverRaces,
        /// Delete checks for the value, waits, and then removes it.
        DeleteRaces,
        /// Delete if version checks its condition, waits, and then removes the value.
        DeleteIfVersionRaces,
        /// Every fourth put if version whose condition is met returns `Stored` and writes nothing.
        LosesEveryFourthIfVersion,
        /// A put writes one half of its value, waits, and then writes the other half.
        TornPuts,
        /// A dropped put leaves half of its value.
        TearsWhenCancelled,
        /// The answer of a dropped get is returned by the next one.
        AnswersLinger,
        /// A dropped put keeps its lock.
        CancelledPutKeepsItsLock,
    } };
}
