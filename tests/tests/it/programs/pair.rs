use larder_moka::MokaStore;
use larder_store::ManualClock;
use larder_test::server::RedisServer;
use larder_test::trace::Pair;

use crate::support::patient;

/// A store in process and one on a `redis-server` of its own, which both read one clock.
pub(crate) async fn pair() -> (RedisServer, Pair) {
    let server = RedisServer::start().expect("redis-server starts");
    let clock = ManualClock::default();
    let moka = MokaStore::builder().with_clock(clock.clone()).build();
    let redis = patient(&server.url())
        .with_virtual_time(clock.clone())
        .connect()
        .await
        .expect("the server is up");
    let pair = Pair::new(clock, moka, redis);
    (server, pair)
}
