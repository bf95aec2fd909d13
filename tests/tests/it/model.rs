//! The short form of the proof `model`: random sequences give the same values and errors on every
//! store.

use std::sync::Arc;

use larder_proofs::model::{self, Case, Time, compare};
use larder_store::{Space, Store};
use larder_test::broken::{BrokenStore, Fault};
use larder_test::server::RedisServer;

#[test]
fn moka_gives_what_the_model_gives() {
    for space in [Space::Pinned, Space::Evictable] {
        compare(Time::Passes, space, 150, model::moka).unwrap();
    }
}

#[test]
fn prefixed_moka_gives_what_the_model_gives() {
    compare(Time::Passes, Space::Pinned, 50, model::prefixed_moka).unwrap();
}

#[test]
fn redis_gives_what_the_model_gives() {
    let server = RedisServer::start().unwrap();
    // Nothing ends while a sequence runs, so that the comparison is exact.
    let redis = async |case| model::redis(&server.url(), case).await;
    compare(Time::StandsStill, Space::Pinned, 50, redis).unwrap();
}

#[test]
fn the_comparison_notices_broken_stores() {
    for fault in [
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
    ] {
        let tried = compare(Time::Passes, Space::Pinned, 5000, async |case: Case| {
            Arc::new(BrokenStore::new(Some(fault), case.clock)) as Arc<dyn Store>
        });
        assert!(tried.is_err(), "{fault:?} is not noticed");
    }
}
