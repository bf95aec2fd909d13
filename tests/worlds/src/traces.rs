//! Holds the Lua of programs against their Rust.
//!
//! Futures are boxed, so that the type of a test nests no deeper than the compiler follows.

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::ManualClock;
use larder_store::program::Record;
use larder_test::server::RedisServer;
use larder_test::trace::{Fault, Pair, Step, Traces};

/// Makes a store in process and one on a server, which read one clock.
pub async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust = MokaStore::builder().with_clock(clock.clone()).build();
    let lua = Box::pin(lua(server, clock.clone())).await;
    Pair::new(clock, rust, lua)
}

/// Makes a store on a server, whose programs read a clock of the test.
pub async fn lua(server: &RedisServer, clock: ManualClock) -> RedisStore {
    let store = crate::patient(&server.url()).with_virtual_time(clock);
    store.connect().await.unwrap()
}

/// Fails where the two forms differ in seeded traces. What `begin` returns draws their steps.
pub async fn holds<R: Record, N>((seeds, steps): (u64, usize), begin: impl Fn() -> N)
where
    N: FnMut(&mut Rng) -> Box<dyn Step>,
{
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(seeds, steps, async || Box::pin(pair(&server)).await);
    Box::pin(traces.agree::<R, _>(begin)).await;
}

/// Fails where the traces miss one of the faults.
pub async fn catches<R: Record, N>(
    (seeds, steps): (u64, usize),
    begin: impl Fn() -> N,
    faults: &[Fault],
) where
    N: FnMut(&mut Rng) -> Box<dyn Step>,
{
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(seeds, steps, async || Box::pin(pair(&server)).await);
    Box::pin(traces.catch::<R, _>(begin, faults)).await;
}
