//! What a layer decides after its server has died.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{
    FailMode, KeyBy, LocalStore, Quota, RateLimitLayer, RateLimiter, RefusalMemory,
};
use larder_store::Store;
use larder_test::server::RedisServer;

use crate::support::{App, layer};
use crate::world::patient;

const ANN: &str = "192.0.2.1";
const BEN: &str = "192.0.2.2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_server_a_layer_refuses_whom_it_remembers_and_then_grants_its_share() {
    let mut server = RedisServer::start().unwrap();
    let store: Arc<dyn Store> = Arc::new(patient(&server.url()).connect().await.unwrap());
    let limiter = RateLimiter::new(store, "test", Quota::per_hour(6)).unwrap();
    let memory = RefusalMemory::new(10).with_max_age(Duration::from_secs(600));
    let remembers = layer(limiter.clone(), KeyBy::peer()).with_refusal_memory(memory);
    let app = App::new(remembers.clone());
    for _ in 0..6 {
        assert_eq!(app.status(ANN).await, 200);
    }
    assert_eq!(app.status(ANN).await, 429);

    server.kill();
    let app = App::new(remembers.with_store_timeout(RateLimitLayer::DEFAULT_TIMEOUT));
    for (peer, status) in [(ANN, 429), (BEN, 503), (ANN, 429), (BEN, 503)] {
        assert_eq!(app.status(peer).await, status, "{peer}");
    }

    // One of two processes, which counts by itself, and does not know what the server counted.
    let local = LocalStore::new(Arc::new(MokaStore::new())).unwrap();
    let local = FailMode::Local(local.with_share_of(2.try_into().unwrap()));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()).with_fail_mode(local));
    for peer in [ANN, BEN] {
        for status in [200, 200, 200, 429, 429] {
            assert_eq!(app.status(peer).await, status, "{peer}");
        }
    }
}
