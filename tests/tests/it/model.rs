//! The short form of the proof `model`: random sequences give the same values and errors on every
//! store.

use std::sync::Arc;

use larder_proofs::model::{
    self, Time, compare, compare_in_virtual_time, compare_limits, compare_on, notices,
};
use larder_proofs::stores::Servers;
use larder_store::{Space, Store};
use larder_test::broken::{BrokenStore, Fault};
use larder_test::server::RedisServer;

/// How many sequences are tried on what needs no server. Of the faults in [`COMMON`] the rarest is
/// seen in one of 60.
const IN_PROCESS: u32 = 1000;

/// How many are tried on servers.
const ON_SERVERS: u32 = 200;

#[test]
fn moka_gives_what_the_model_gives() {
    for space in [Space::Pinned, Space::Evictable] {
        compare(Time::Passes, space, IN_PROCESS, model::moka).unwrap();
    }
}

#[test]
fn prefixed_moka_gives_what_the_model_gives() {
    compare(
        Time::Passes,
        Space::Pinned,
        IN_PROCESS,
        model::prefixed_moka,
    )
    .unwrap();
}

#[test]
fn redis_gives_what_the_model_gives() {
    compare_on(&Servers::one(), ON_SERVERS).unwrap();
}

#[test]
fn redis_gives_what_the_model_gives_as_its_leases_and_records_end() {
    compare_in_virtual_time(&RedisServer::start().unwrap(), ON_SERVERS).unwrap();
}

#[test]
fn a_cluster_gives_what_the_model_gives() {
    compare_on(&Servers::cluster(), ON_SERVERS).unwrap();
}

/// Faults that show in so many sequences that the short form has to notice them.
const COMMON: &[Fault] = &[
    // A claim beside a leader leads too.
    Fault::EveryoneLeads,
    Fault::ClaimsIgnoreValues,
    Fault::AnySeenVersionLeads,
    Fault::SeenIsStaleThoughGone,
    Fault::LeasesShareAKey,
    Fault::LeasesRecords,
    Fault::PutEndsLease,
    Fault::FencesWrap,
    Fault::FenceIsTheClock,
    // The fence is not moved, or the old one is good for more.
    Fault::FenceRepeatsAfterInvalidation,
    Fault::FenceRepeatsAfterEnd,
    Fault::InvalidateKeepsLease,
    Fault::InvalidateManyKeepsLeases,
    Fault::InvalidatedMayCommit,
    // Nobody asks for the fence.
    Fault::CommitByAnyone,
    Fault::HigherFenceCommits,
    Fault::LowerFenceCommits,
    Fault::CommitNeedsNoLease,
    Fault::RefusedCommitWrites,
    Fault::RefusedCommitEndsLease,
    Fault::CommitIgnoresConditions,
    Fault::CommitIsForgotten,
    Fault::CommitCutsWhatIsTooLarge,
    Fault::LateCommitIsNeverTooLarge,
    // A lease ends at another moment than its deadline.
    Fault::LeaseEndsEarly,
    Fault::LeaseEndsLate,
    Fault::ExpiredMayCommit,
    Fault::ExpiredIsAbandoned,
    Fault::RenewRevives,
    Fault::RenewByAnyone,
    Fault::RenewMakesLeases,
    Fault::AbandonByAnyone,
    Fault::AbandonIsForgotten,
    Fault::InvalidateAnswersTrue,
    Fault::InvalidateKeepsValue,
    Fault::InvalidateBansClaims,
    Fault::InvalidateManyReverses,
    Fault::InvalidateManyFailsWhole,
    Fault::FollowEndsAtOnce,
    // A scan lists something else.
    Fault::ScanSkipsRecords,
    Fault::PrefixIsAnywhere,
    Fault::PrefixIsAPattern,
    Fault::TakesAnyPageSize,
    Fault::ListsLeases,
    Fault::ListsExpired,
];

/// Faults that show in fewer sequences.
const RARE: &[Fault] = &[
    Fault::LosesEmptyValues,
    Fault::IgnoresIfVersion,
    Fault::UnmetPutSetsTtl,
    Fault::DeleteAnswersTrue,
    Fault::OverwriteKeepsVersion,
    Fault::EndsLate,
    Fault::EndsEarly,
    Fault::TtlRoundsDown,
    Fault::ExpireRevives,
    Fault::ExpiredMeetsIfVersion,
    Fault::GetManyReverses,
    Fault::PutManyReverses,
    Fault::DeleteManyRepeatsAnswers,
    Fault::PutManyFailsWhole,
    Fault::TooLargeRemovesTheOld,
    Fault::OtherTypeIsReplaced,
    Fault::PartsOnlyLengthen,
    Fault::RunManyShifts,
    Fault::StaleFollows,
    Fault::FreshTakesLease,
    Fault::FenceRepeatsAfterCommit,
    Fault::FenceRepeatsAfterAbandon,
    Fault::CommitKeepsLease,
    Fault::CommittedMayCommitAgain,
    Fault::AbandonedMayCommit,
    Fault::CommitTtlFromClaim,
    Fault::UnmetCommitEndsLease,
    Fault::RenewKeepsDeadline,
    Fault::RenewOnlyLengthens,
    Fault::AbandonRemovesValue,
];

/// Faults of what rate limits read the time for: the windows of a calendar, and the TTL of a plan.
const OF_LIMITS: &[Fault] = &[Fault::NowIsBehind, Fault::NowStandsStill];

#[test]
fn the_comparison_notices_broken_stores() {
    for (faults, cases) in [(COMMON, IN_PROCESS), (RARE, 20 * IN_PROCESS)] {
        for &fault in faults {
            let noticed = notices(cases, async |clock| {
                Arc::new(BrokenStore::new(Some(fault), clock)) as Arc<dyn Store>
            });
            assert!(noticed, "{fault:?} is not noticed");
        }
    }
}

#[test]
fn the_comparison_of_limits_notices_a_wrong_calendar_and_a_plan_that_is_kept_for_ever() {
    let compare = |fault| {
        compare_limits(IN_PROCESS, async |clock| {
            Arc::new(BrokenStore::new(fault, clock)) as Arc<dyn Store>
        })
    };
    compare(None).unwrap();
    for &fault in OF_LIMITS {
        assert!(compare(Some(fault)).is_err(), "{fault:?} is not noticed");
    }
}
