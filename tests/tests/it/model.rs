//! The short form of the proof `model`: random sequences give the same values and errors on every
//! store.

use std::sync::Arc;

use larder_proofs::model::{self, Time, compare, compare_in_virtual_time, compare_on};
use larder_proofs::stores::Servers;
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
    compare_on(&Servers::one(), 50).unwrap();
}

#[test]
fn redis_gives_what_the_model_gives_as_its_leases_and_records_end() {
    compare_in_virtual_time(&RedisServer::start().unwrap(), 50).unwrap();
}

#[test]
fn a_cluster_gives_what_the_model_gives() {
    compare_on(&Servers::cluster(), 50).unwrap();
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
        let tried = compare(Time::Passes, Space::Pinned, 5000, async |clock| {
            Arc::new(BrokenStore::new(Some(fault), clock)) as Arc<dyn Store>
        });
        assert!(tried.is_err(), "{fault:?} is not noticed");
    }
}
