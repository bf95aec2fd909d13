//! Compares the Lua of each program of a queue with its Rust, and plants faults in the Lua that must be
//! found.

mod faults;
mod steps;
mod wakes;

use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Traces};
use larder_worlds::traces::pair;

use crate::record::{QueueRecord, Settings};
use steps::{next, next_of};

const SEEDS: u64 = 10;
const STEPS: usize = 400;

fn traces(server: &RedisServer) -> Traces<impl AsyncFn() -> Pair + '_> {
    Traces::new(SEEDS, STEPS, async || Box::pin(pair(server)).await)
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
    let traces = Traces::new(2, STEPS, async || Box::pin(pair(&server)).await);
    let plain = || next_of(Settings::default());
    traces.agree::<QueueRecord, _>(plain).await;
}
