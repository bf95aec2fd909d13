//! The faults of values.

macro_rules! values_faults {
    ($($before:tt)*) => { programs_faults! { $($before)*
        /// A miss is an empty value.
        MissIsEmpty,
        /// A miss is an error.
        MissIsAnError,
        /// A put that wrote answers false.
        PutAnswersFalse,
        /// The first answer of get is given for ever.
        CachesReads,
        /// A get removes what it gives.
        GetConsumes,
        /// A get extends the TTL of its value by a minute.
        GetExtends,
        /// An empty value is a miss.
        LosesEmptyValues,
        /// A value ends at its first NUL.
        StopsAtNul,
        /// A value ends at 1 MiB.
        CutsAtOneMib,
        /// A shorter value leaves the rest of a longer one behind it.
        KeepsTheTail,

        /// Put if absent always writes.
        IgnoresIfAbsent,
        /// Put if present always writes.
        IgnoresIfPresent,
        /// Put if version always stores over a value.
        IgnoresIfVersion,
        /// Put if version stores to an absent key.
        AbsentMeetsIfVersion,
        /// Put if version is met by a version of any key.
        IfVersionOfAnyKey,
        /// An unmet put answers false and writes its value all the same.
        UnmetPutWrites,
        /// An unmet put sets its TTL.
        UnmetPutSetsTtl,
        /// The same put sent again has another version.
        ResentPutIsNew,

        /// Delete answers true whatever was there.
        DeleteAnswersTrue,
        /// Delete if present answers true whatever was there.
        DeleteIfPresentAnswersTrue,
        /// Delete if absent is an unconditional delete.
        DeleteIfAbsentDeletes,
        /// Delete if version is an unconditional delete.
        DeleteIgnoresIfVersion,
        /// An unmet delete changes the version.
        UnmetDeleteMovesVersion,
        /// Expire brings a deleted key back, empty.
        DeletedCanBeExpired,
        /// A deleted key blocks put if absent.
        DeletedBlocksIfAbsent,

        /// The version that is kept is not the one of the put.
        DrawsItsOwnVersion,
        /// An overwrite keeps the version.
        OverwriteKeepsVersion,
        /// A deleted key has its old version when it is made again.
        DeleteKeepsVersion,
        /// An expired key has its old version when it is made again.
        EndKeepsVersion,
        /// `get_many` gives versions of its own.
        GetManyDrawsVersions,

        /// A TTL reads one millisecond more than it is.
        TtlReadsMore,
        /// A TTL is rounded down.
        TtlRoundsDown,
        /// A TTL is rounded up to a second.
        TtlReadsInSeconds,
        /// A put over a value keeps the TTL.
        PutKeepsTtl,
        /// What put if absent stores never ends.
        IfAbsentNeverEnds,
        /// Put if present and put if version keep the TTL.
        ConditionsKeepTtl,
        /// Expire never lengthens.
        ExpireOnlyShortens,
        /// Expire never shortens.
        ExpireOnlyLengthens,
        /// Expire changes the version.
        ExpireMovesVersion,
        /// Expire makes an absent key, empty.
        ExpireMakesKeys,
        /// A TTL of more than 24 days ends at once.
        LongTtlOverflows,

        /// A value ends 1 ms too early.
        EndsEarly,
        /// A value ends 1 ms too late.
        EndsLate,
        /// An expired value keeps its memory, of 64 MiB.
        EndedKeepsItsRoom,
        /// An expired value is never freed.
        EndedIsNeverFreed,
        /// A TTL of 1 ms is refused.
        RefusesOneMillisecond,
        /// Get gives what has ended.
        ExpiredIsRead,
        /// `get_many` gives what has ended.
        ExpiredIsReadWithOthers,
        /// An expired value has 1 ms left.
        ExpiredHasTtl,
        /// Expire revives what has ended.
        ExpireRevives,
        /// An expired value meets put if present.
        ExpiredMeetsIfPresent,
        /// An expired value meets put if version.
        ExpiredMeetsIfVersion,
        /// An expired value blocks put if absent.
        ExpiredBlocksIfAbsent,
        /// Delete of what has ended answers true.
        ExpiredIsDeleted,
        /// An expired value meets the conditions of `put_many`.
        ExpiredMeetsPutMany,
        /// `delete_many` of what has ended answers true.
        ExpiredIsDeletedWithOthers,
        /// The end of an overwritten value removes the new one.
        OldEndTakesTheNew,

        /// `get_many` answers backwards.
        GetManyReverses,
        /// `get_many` leaves out what is missing.
        GetManyDropsHoles,
        /// `get_many` answers a repeated key once, and then with misses.
        GetManyAnswersRepeatsOnce,
        /// `put_many` stores nothing if one condition is not met.
        PutManyIsAllOrNothing,
        /// `put_many` writes backwards.
        PutManyReverses,
        /// `put_many` gives all values the first TTL.
        PutManySharesTtl,
        /// `delete_many` is unconditional.
        DeleteManyIgnoresConditions,
        /// `delete_many` answers a repeated key as the first time.
        DeleteManyRepeatsAnswers,
        /// A batch of nothing has one answer.
        EmptyBatchHasAnAnswer,
        /// A batch ends after 512 items.
        BatchesEndAt512,
        /// A batch reads 1 MiB and no more.
        BatchesEndAtOneMib,
        /// One error of `get_many` is the answer to all.
        GetManyFailsWhole,
        /// One error of `put_many` is the answer to all.
        PutManyFailsWhole,
        /// One error of `delete_many` is the answer to all.
        DeleteManyFailsWhole,

        /// Get and ttl take the key of a record for one that is absent.
        ReadsRecordKeys,
        /// Put on the key of a record answers true.
        WritesRecordKeys,
        /// Delete of the key of a record removes the record.
        RemovesRecords,
        /// A value that is too large is cut.
        CutsWhatIsTooLarge,
        /// A value that is too large removes what was there.
        TooLargeRemovesTheOld,
        /// A value that is too large is refused as if there were no room.
        TooLargeIsFull,
        /// The location holds a password in front of the host.
        LocationHasPassword,
        /// The location holds a password as an option.
        LocationHasPasswordOption,

        /// Keys of one id are one key.
        IgnoresKinds,
        /// The parts of a key are one key.
        IgnoresParts,
        /// Keys that differ in case are one key.
        FoldsCase,
        /// Keys that begin with the same 64 characters are one key.
        CutsKeys,
        /// Keys that differ in line ends are one key.
        DropsLineEnds,

        /// `get_now` misses always.
        GetNowMisses,
        /// `get_now` gives what has ended.
        GetNowReadsExpired,
        /// What `put_now` stores never ends.
        PutNowNeverEnds,
        /// `put_now` writes always.
        PutNowIgnoresConditions,
        /// `delete_now` removes always.
        DeleteNowIgnoresConditions,

        /// Put if absent tests, waits, and writes.
        IfAbsentRaces,
        /// Put if version tests, waits, and writes.
        IfVersionRaces,
        /// Put if absent over an expired value tests, waits, and stores.
        TakeoverRaces,
        /// Delete tests, waits, and removes.
        DeleteRaces,
        /// Delete if version tests, waits, and removes.
        DeleteIfVersionRaces,
        /// Every fourth put if version that is met is lost.
        LosesEveryFourthIfVersion,
        /// A put writes one half, waits, and writes the other.
        TornPuts,
        /// A put that is dropped keeps one half.
        TearsWhenCancelled,
        /// The answer of a get that is dropped answers the next one.
        AnswersLinger,
        /// A put that is dropped keeps its lock.
        CancelledPutKeepsItsLock,
    } };
}
