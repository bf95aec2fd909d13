//! The short form of the proof `tags`.

use larder_proofs::tag_removal::{Place, is_well, remove};
use larder_test::server::RedisServer;

const VALUES: u64 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_write_removes_all_values_of_a_tag_and_so_does_the_loss_of_its_record() {
    let redis = Place::Redis(RedisServer::start().unwrap());
    for place in [Place::Here, redis] {
        let found = remove(&place, VALUES).await;
        assert!(is_well(&found), "{found:?}");
    }
}
