//! The faults of leases.

macro_rules! leases_faults {
    ($($before:tt)*) => { waits_faults! { $($before)*
        /// Every claim follows, even without a leader.
        ClaimsOnlyFollow,
        /// A claim beside a leader gets the fence of the leader.
        EveryoneLeads,
        /// A claim treats a present value as absent.
        ClaimsIgnoreValues,
        /// A claim that has seen the value gets the value.
        SeenIsFresh,
        /// A claim that has seen any version is treated as if it had seen the present one.
        AnySeenVersionLeads,
        /// A claim that has seen the value follows beside a leader, instead of getting `Stale`.
        StaleFollows,
        /// A claim that has seen a deleted value gets `Stale` beside a leader.
        SeenIsStaleThoughGone,
        /// A claim gets an expired value.
        ExpiredIsFresh,
        /// A claim that gets a value also holds the lease.
        FreshTakesLease,
        /// All keys have one lease.
        LeasesShareAKey,
        /// A plain put ends the lease.
        PutEndsLease,
        /// A plain delete ends the lease.
        DeleteEndsLease,
        /// The keys of records can be claimed.
        LeasesRecords,
        /// A fence is only the time.
        FenceIsTheClock,
        /// The fence after a commit is the same as before.
        FenceRepeatsAfterCommit,
        /// The fence after an abandon is the same as before.
        FenceRepeatsAfterAbandon,
        /// The fence after an invalidation is the same as before.
        FenceRepeatsAfterInvalidation,
        /// The fence after the end of a lease is the same as before.
        FenceRepeatsAfterEnd,
        /// Fences have six bits.
        FencesWrap,
        /// A commit ends the lease and writes nothing.
        CommitIsForgotten,
        /// A commit writes under a version other than that of the put.
        CommitDrawsItsOwnVersion,
        /// A commit over a value ends the lease and writes nothing.
        CommitOnlyWhereAbsent,
        /// A commit keeps the lease.
        CommitKeepsLease,
        /// A second commit with the same fence is stored.
        CommittedMayCommitAgain,
        /// The TTL of a committed value begins with the claim.
        CommitTtlFromClaim,
        /// A commit ignores the condition of its put.
        CommitIgnoresConditions,
        /// A commit whose condition is not met ends the lease.
        UnmetCommitEndsLease,
        /// A commit cuts a value over the limit.
        CommitCutsWhatIsTooLarge,
        /// A commit of a value over the limit ends the lease.
        TooLargeCommitEndsLease,
        /// A commit without the lease is refused before the size of its value is checked.
        LateCommitIsNeverTooLarge,
        /// A commit after an invalidation of its lease is stored.
        InvalidatedMayCommit,
        /// A commit after an abandon of its lease is stored.
        AbandonedMayCommit,
        /// A commit after the end of its lease is stored.
        ExpiredMayCommit,
        /// While there is a leader, a commit with any fence is stored.
        CommitByAnyone,
        /// A commit with a fence higher than that of the leader is stored.
        HigherFenceCommits,
        /// A commit with a fence lower than that of the leader is stored.
        LowerFenceCommits,
        /// A commit of a key that was never claimed is stored, whatever its fence.
        CommitNeedsNoLease,
        /// A refused commit writes its value nevertheless.
        RefusedCommitWrites,
        /// A refused commit ends the lease.
        RefusedCommitEndsLease,
        /// A lease ends 1 ms too early.
        LeaseEndsEarly,
        /// A lease ends 1 ms too late.
        LeaseEndsLate,
        /// A commit in the last millisecond of the lease is refused.
        CommitEndsEarly,
        /// A renewal returns `Held` and does nothing.
        RenewKeepsDeadline,
        /// A renewal never shortens the lease.
        RenewOnlyLengthens,
        /// A renewal with any fence succeeds.
        RenewByAnyone,
        /// A renewal revives an expired lease.
        RenewRevives,
        /// A renewal revives an abandoned lease.
        RenewRevivesAbandoned,
        /// A renewal of a key that was never claimed makes a lease.
        RenewMakesLeases,
        /// An abandon returns `Held` and does nothing.
        AbandonIsForgotten,
        /// An abandon with any fence succeeds.
        AbandonByAnyone,
        /// An abandon of an expired lease returns `Held`.
        ExpiredIsAbandoned,
        /// An abandon removes the value.
        AbandonRemovesValue,
        /// Invalidate always returns `Deleted`.
        InvalidateAnswersTrue,
        /// Invalidate of an expired value returns `Deleted`.
        ExpiredIsInvalidated,
        /// Invalidate keeps the value.
        InvalidateKeepsValue,
        /// Invalidate keeps the lease.
        InvalidateKeepsLease,
        /// After an invalidation claims follow until the lease would have ended.
        InvalidateBansClaims,
        /// `invalidate_many` returns its answers in reverse order.
        InvalidateManyReverses,
        /// `invalidate_many` keeps the leases.
        InvalidateManyKeepsLeases,
        /// If `invalidate_many` fails for one key, it fails for all.
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
        /// A follower waits for up to an hour, whatever its maximum time is.
        FollowIgnoresWithin,
        /// A follower returns `StillHeld` at once.
        FollowGivesUpAtOnce,
        /// A follower returns `Ended` at once.
        FollowEndsAtOnce,
        /// A follower of a key without a leader waits.
        LateFollowersWait,
        /// A follower ends at the deadline that the lease had at first.
        FollowMissesRenewals,
        /// A follower waits until the key has no leader at all.
        FollowWaitsForNobody,
        /// The end of a lease wakes only one follower.
        WakesOneFollower,
        /// A dropped follower ends the lease.
        DroppedFollowerEndsLease,
        /// A claim checks for a leader, waits, and then takes the lease.
        ClaimsRace,
        /// A commit checks the fence, waits, and then writes.
        CommitRaces,
        /// A dropped commit has written its value, and keeps the lease.
        CancelledCommitKeepsLease,
        /// The lease of a dropped claim never ends.
        CancelledClaimHoldsForEver,
    } };
}
