macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One way in which a store breaks the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

faults! {
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
    /// A get gives what it reads a minute more.
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
    /// Put if version always writes where something is.
    IgnoresIfVersion,
    /// Put if version writes where nothing is.
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
    /// What has ended keeps its room, of 64 MiB.
    EndedKeepsItsRoom,
    /// What has ended is never freed.
    EndedIsNeverFreed,
    /// A TTL of 1 ms is refused.
    RefusesOneMillisecond,
    /// Get gives what has ended.
    ExpiredIsRead,
    /// `get_many` gives what has ended.
    ExpiredIsReadWithOthers,
    /// What has ended has 1 ms left.
    ExpiredHasTtl,
    /// Expire revives what has ended.
    ExpireRevives,
    /// What has ended meets put if present.
    ExpiredMeetsIfPresent,
    /// What has ended meets put if version.
    ExpiredMeetsIfVersion,
    /// What has ended blocks put if absent.
    ExpiredBlocksIfAbsent,
    /// Delete of what has ended answers true.
    ExpiredIsDeleted,
    /// The end of an overwritten value removes the new one.
    OldEndTakesTheNew,

    /// `get_many` answers backwards.
    GetManyReverses,
    /// `get_many` leaves out what is missing.
    GetManyDropsHoles,
    /// `get_many` answers a repeated key once, and then with misses.
    GetManyAnswersRepeatsOnce,
    /// `put_many` writes nothing where one condition is not met.
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
    /// The location holds a password.
    LocationHasPassword,

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
    /// `put_now` writes always.
    PutNowIgnoresConditions,
    /// `delete_now` removes always.
    DeleteNowIgnoresConditions,

    /// Put if absent tests, waits, and writes.
    IfAbsentRaces,
    /// Put if version tests, waits, and writes.
    IfVersionRaces,
    /// Put if absent where something has ended tests, waits, and writes.
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

    /// Each step finds no record.
    StepsStartOver,
    /// A step that is called and waited for finds no record, one that is answered at once does.
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
    /// Reading a record gives it a minute more.
    ReadingExtendsRecords,
    /// A step that writes nothing gives its record a minute more.
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
    /// Of several programs, `run_many` runs the first on its records, and the others not at all.
    RunManyKnowsOneProgram,

    /// A message goes to the first of its subscriptions.
    DeliversToOne,
    /// A message comes twice.
    DeliversTwice,
    /// A message comes once for each time that its channel or its topic is named.
    DeliversForEachWish,
    /// A message comes by its channel, and again by its topic.
    DeliversByChannelAndTopic,
    /// A subscription of several channels hears the first.
    HearsOneChannel,
    /// The channels of a topic are one channel.
    IgnoresChannelIds,
    /// The channels of one id are one channel.
    IgnoresTopics,
    /// The channels of all namespaces are one channel.
    IgnoresNamespaces,
    /// Channels that differ in case are one channel.
    ChannelsFoldCase,
    /// Channels that differ in line ends are one channel.
    ChannelsDropLineEnds,
    /// Who wants a topic hears nothing of it.
    TopicsHearNothing,
    /// Who wants a topic hears all whose names begin with its name.
    TopicsArePrefixes,
    /// All of a sharded topic can be wanted.
    HearsAllOfSharded,
    /// Nothing can be wanted.
    ListensToNothing,
    /// A message that is too large is cut.
    CutsLargeMessages,
    /// A message as large as it may be is refused.
    RefusesLargeMessages,
    /// An empty message arrives with a byte in it.
    FillsEmptyMessages,
    /// A message ends at its first NUL.
    MessagesEndAtNul,
    /// A message that nobody hears is an error.
    NobodyListensIsAnError,
    /// A subscribe that is dropped takes all messages from then on.
    CancelledSubscribeTakesMessages,
    /// Every hundredth subscription hears nothing.
    SubscribesTooEarly,
    /// Every 64th message comes after the next one.
    SwapsMessages,
    /// Every 300th message is lost.
    LosesMessagesInARush,
    /// The last message is heard by those who come later.
    MessagesLinger,
    /// A dropped subscription takes the others of its channels with it.
    DropEndsTheChannel,
    /// All subscriptions have the same room.
    IgnoresBuffer,
    /// Where one subscription is slow, all hear of gaps.
    OverflowGapsAll,

    /// Nobody leads: who claims follows nobody.
    ClaimsOnlyFollow,
    /// Who claims beside a leader is given its fence.
    EveryoneLeads,
    /// A claim takes what is present for absent.
    ClaimsIgnoreValues,
    /// A claim that has seen the value is answered with it.
    SeenIsFresh,
    /// A claim that has seen any value takes the present one for it.
    AnySeenVersionLeads,
    /// A claim that has seen the value, beside a leader, follows.
    StaleFollows,
    /// A claim that has seen what is gone, beside a leader, is told to serve it.
    SeenIsStaleThoughGone,
    /// A claim that is answered with a value holds the lease.
    FreshTakesLease,
    /// All keys have one lease.
    LeasesShareAKey,
    /// A plain put ends the lease.
    PutEndsLease,
    /// A plain delete ends the lease.
    DeleteEndsLease,
    /// The keys of records can be claimed.
    LeasesRecords,
    /// The fence is the time, and no more.
    FenceIsTheClock,
    /// The fence after a commit is the same again.
    FenceRepeatsAfterCommit,
    /// The fence after an abandon is the same again.
    FenceRepeatsAfterAbandon,
    /// The fence after an invalidation is the same again.
    FenceRepeatsAfterInvalidation,
    /// The fence after the end of a lease is the same again.
    FenceRepeatsAfterEnd,
    /// Fences have six bits.
    FencesWrap,
    /// A commit gives the lease back and writes nothing.
    CommitIsForgotten,
    /// A commit writes under a version that is not the put's.
    CommitDrawsItsOwnVersion,
    /// A commit over a value gives the lease back and writes nothing.
    CommitOnlyWhereAbsent,
    /// A commit keeps the lease.
    CommitKeepsLease,
    /// A fence that has committed may commit again.
    CommittedMayCommitAgain,
    /// The TTL of what is committed begins with the claim.
    CommitTtlFromClaim,
    /// A commit is unconditional.
    CommitIgnoresConditions,
    /// A commit whose condition is not met ends the lease.
    UnmetCommitEndsLease,
    /// A commit cuts a value that is too large.
    CommitCutsWhatIsTooLarge,
    /// A commit of a value that is too large ends the lease.
    TooLargeCommitEndsLease,
    /// A commit by another than the holder is refused before its value is found too large.
    LateCommitIsNeverTooLarge,
    /// A fence that was invalidated may commit.
    InvalidatedMayCommit,
    /// A fence that was abandoned may commit.
    AbandonedMayCommit,
    /// A fence whose time has passed may commit.
    ExpiredMayCommit,
    /// Any fence may commit while somebody leads.
    CommitByAnyone,
    /// A fence higher than the leader's may commit.
    HigherFenceCommits,
    /// A fence lower than the leader's may commit.
    LowerFenceCommits,
    /// Any fence may commit where nobody has claimed.
    CommitNeedsNoLease,
    /// A commit that is refused writes all the same.
    RefusedCommitWrites,
    /// A commit that is refused ends the lease.
    RefusedCommitEndsLease,
    /// A lease ends 1 ms too early.
    LeaseEndsEarly,
    /// A lease ends 1 ms too late.
    LeaseEndsLate,
    /// A commit in the last millisecond of the lease is refused.
    CommitEndsEarly,
    /// A renewal answers true and does nothing.
    RenewKeepsDeadline,
    /// A renewal never shortens.
    RenewOnlyLengthens,
    /// Any fence renews the lease.
    RenewByAnyone,
    /// A renewal brings a lease back that has ended.
    RenewRevives,
    /// A renewal makes a lease where nobody has claimed.
    RenewMakesLeases,
    /// An abandon answers true and does nothing.
    AbandonIsForgotten,
    /// Any fence abandons the lease.
    AbandonByAnyone,
    /// A lease that has ended can be abandoned.
    ExpiredIsAbandoned,
    /// An abandon removes the value.
    AbandonRemovesValue,
    /// Invalidate answers true whatever was there.
    InvalidateAnswersTrue,
    /// Invalidate of what has ended answers true.
    ExpiredIsInvalidated,
    /// Invalidate keeps the value.
    InvalidateKeepsValue,
    /// Invalidate keeps the lease.
    InvalidateKeepsLease,
    /// Invalidate lets nobody claim until the lease would have ended.
    InvalidateBansClaims,
    /// `invalidate_many` answers backwards.
    InvalidateManyReverses,
    /// `invalidate_many` keeps the leases.
    InvalidateManyKeepsLeases,
    /// One error of `invalidate_many` is the answer to all.
    InvalidateManyFailsWhole,
    /// A commit wakes no follower.
    CommitWakesNobody,
    /// An abandon wakes no follower.
    AbandonWakesNobody,
    /// Invalidate wakes no follower.
    InvalidateWakesNobody,
    /// `invalidate_many` wakes no follower.
    InvalidateManyWakesNobody,
    /// The end of a lease wakes no follower.
    EndWakesNobody,
    /// A follower waits for an hour.
    FollowIgnoresWithin,
    /// A follower says at once that the lease is still held.
    FollowGivesUpAtOnce,
    /// A follower says at once that the lease has ended.
    FollowEndsAtOnce,
    /// A follower where nobody leads waits.
    LateFollowersWait,
    /// A follower ends at the deadline that it saw first.
    FollowMissesRenewals,
    /// A follower waits until nobody leads, whoever it was.
    FollowWaitsForNobody,
    /// The end of a lease wakes one follower.
    WakesOneFollower,
    /// A follower that is dropped ends the lease.
    DroppedFollowerEndsLease,
    /// A claim looks whether somebody leads, waits, and leads.
    ClaimsRace,
    /// A commit looks at the fence, waits, and writes.
    CommitRaces,
    /// A commit that is dropped has written, and keeps the lease.
    CancelledCommitKeepsLease,
    /// The lease of a claim that is dropped never ends.
    CancelledClaimHoldsForEver,
    /// A step wakes nobody.
    WakesNobody,
    /// A wake before a waiter asks is lost.
    EarlyWakesAreLost,
    /// A step wakes one of those who wait.
    WakesOne,
    /// A waiter is woken once.
    WakesOnce,
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
    /// A scan leaves out every tenth key.
    ScanSkipsEveryTenth,
    /// A scan leaves out records.
    ScanSkipsRecords,
    /// A scan leaves out what may be evicted.
    ScanSkipsEvictable,
    /// A cursor is the number of keys that were listed.
    CursorIsAnOffset,
    /// A scan lists keys with the prefix anywhere in them.
    PrefixIsAnywhere,
    /// The prefix of a scan is a pattern.
    PrefixIsAPattern,
    /// A page holds all keys.
    PageHoldsAll,
    /// A page of any size is given.
    TakesAnyPageSize,
    /// A cursor of another store begins from the start.
    AnyCursorStartsOver,
    /// A scan lists leases.
    ListsLeases,
    /// A scan lists what has ended.
    ListsExpired,
}
