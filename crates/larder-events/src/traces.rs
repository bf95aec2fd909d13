//! Holds the Lua of each program against its Rust, and plants faults in the Lua that must be seen.

use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::ManualClock;
use larder_store::program::Record;
use larder_test::server::RedisServer;
use larder_test::trace::{Fault, Pair, Step, Traces};

const SEEDS: u64 = 8;
const STEPS: usize = 400;

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust = MokaStore::builder().with_clock(clock.clone()).build();
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap();
    Pair::new(clock, rust, lua)
}

/// Fails where the two forms differ in a seeded trace. What `begin` returns draws its steps.
pub(crate) async fn holds<R: Record, N>(begin: impl Fn() -> N)
where
    N: FnMut(&mut Rng) -> Box<dyn Step>,
{
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(SEEDS, STEPS, async || pair(&server).await);
    traces.agree::<R, _>(begin).await;
}

/// Fails where the traces miss one of the faults.
pub(crate) async fn catches<R: Record, N>(begin: impl Fn() -> N, faults: &[Fault])
where
    N: FnMut(&mut Rng) -> Box<dyn Step>,
{
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(SEEDS, STEPS, async || pair(&server).await);
    traces.catch::<R, _>(begin, faults).await;
}
