use std::sync::Arc;

use larder_moka::MokaStore;
use larder_store::{ManualClock, Store, StoreExt};
use larder_test::server::RedisServer;
use larder_test::trace::Pair;

use crate::support::patient;

/// A store in process and one on a `redis-server` of its own, which both read one clock.
pub(crate) async fn pair() -> (RedisServer, Pair) {
    let server = RedisServer::start().expect("redis-server starts");
    let clock = ManualClock::default();
    let moka: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let redis: Arc<dyn Store> = Arc::new(
        patient(&server.url())
            .with_virtual_time(clock.clone())
            .connect()
            .await
            .expect("the server is up"),
    );
    let pair = Pair {
        clock,
        rust: moka
            .require_programs("a trace")
            .expect("moka runs programs"),
        lua: redis
            .require_programs("a trace")
            .expect("Redis runs programs"),
    };
    (server, pair)
}
