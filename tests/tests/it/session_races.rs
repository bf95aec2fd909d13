//! The short form of the proof `sessions`.

use larder_proofs::session_races::races::RACES;
use larder_proofs::session_races::{broken, connect, in_process, larder, whole_records};
use larder_test::server::RedisServer;

const ROUNDS: u64 = 100;
/// The most rounds in which a store of whole records must be caught.
const ATTEMPTS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_race_of_two_instances_loses_a_write_or_revives_a_session() {
    let server = RedisServer::start().unwrap();
    for (seed, race) in (1..).zip(RACES) {
        let redis = [connect(&server).await, connect(&server).await];
        for stores in [in_process(), redis] {
            let found = broken(race, larder(stores), ROUNDS, seed).await;
            assert!(found.is_none(), "{}: {found:?}", race.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_store_of_whole_records_breaks_each_law() {
    for (seed, race) in (1..).zip(RACES) {
        let found = broken(race, whole_records(in_process()), ATTEMPTS, seed).await;
        assert!(found.is_some(), "{}", race.name);
    }
}
