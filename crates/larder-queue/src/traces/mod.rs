//! Holds the Lua of each program of a queue against its Rust, and plants faults in the Lua that must be seen.

mod faults;
mod steps;
mod wakes;

use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::ManualClock;
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Traces};

use crate::record::{QueueRecord, Settings};
use steps::{next, next_of};

const SEEDS: u64 = 10;
const STEPS: usize = 400;

pub(crate) async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust = MokaStore::builder().with_clock(clock.clone()).build();
    Pair::new(clock.clone(), rust, lua(server, clock).await)
}

async fn lua(server: &RedisServer, clock: ManualClock) -> RedisStore {
    RedisStore::builder(&server.url())
        .with_virtual_time(clock)
        .with_timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap()
}

fn traces(server: &RedisServer) -> Traces<impl AsyncFn() -> Pair + '_> {
    Traces::new(SEEDS, STEPS, async || pair(server).await)
}

#[tokio::test]
async fn the_programs_on_a_queue_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    traces(&server).agree::<QueueRecord, _>(next).await;
}

#[tokio::test]
async fn a_queue_without_limits_is_like_one_with_any_settings() {
    // Settings differ from seed to seed above; here all steps have the plainest.
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(2, STEPS, async || pair(&server).await);
    let plain = || next_of(Settings::default());
    traces.agree::<QueueRecord, _>(plain).await;
}
