//! The faults of leases.

macro_rules! leases_faults {
    ($($before:tt)*) => { waits_faults! { $($before)*
        /// Every claim without a leader follows.
        ClaimsOnlyFollow,
        /// A claim beside a leader gets its fence.
        EveryoneLeads,
        /// A claim takes what is present for absent.
        ClaimsIgnoreValues,
        /// A claim that has seen the value is answered with it.
        SeenIsFresh,
        /// A claim that has seen any value takes the present one for it.
        AnySeenVersionLeads,
        /// A claim that has seen the value, beside a leader, follows.
        StaleFollows,
        /// A claim that has seen a deleted value, beside a leader, may serve it.
        SeenIsStaleThoughGone,
        /// A claim gets a value that has ended.
        ExpiredIsFresh,
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
        /// A late commit is refused before its value is found too large.
        LateCommitIsNeverTooLarge,
        /// A fence that was invalidated may commit.
        InvalidatedMayCommit,
        /// A fence that was abandoned may commit.
        AbandonedMayCommit,
        /// A fence whose time has passed may commit.
        ExpiredMayCommit,
        /// Any fence may commit while another caller leads.
        CommitByAnyone,
        /// A fence higher than the leader's may commit.
        HigherFenceCommits,
        /// A fence lower than the leader's may commit.
        LowerFenceCommits,
        /// Any fence may commit to a key that was never claimed.
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
        /// A renewal brings a lease back that was abandoned.
        RenewRevivesAbandoned,
        /// A renewal of a key that was never claimed makes a lease.
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
        /// Invalidate blocks claims until the lease would have ended.
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
        /// A follower without a leader waits.
        LateFollowersWait,
        /// A follower ends at the deadline that it saw first.
        FollowMissesRenewals,
        /// A follower waits until there is no leader at all.
        FollowWaitsForNobody,
        /// The end of a lease wakes one follower.
        WakesOneFollower,
        /// A follower that is dropped ends the lease.
        DroppedFollowerEndsLease,
        /// A claim looks for a leader, waits, and leads.
        ClaimsRace,
        /// A commit looks at the fence, waits, and writes.
        CommitRaces,
        /// A commit that is dropped has written, and keeps the lease.
        CancelledCommitKeepsLease,
        /// The lease of a claim that is dropped never ends.
        CancelledClaimHoldsForEver,
    } };
}
