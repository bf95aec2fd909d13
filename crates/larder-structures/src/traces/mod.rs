//! Holds the Lua of each program against its Rust, and plants faults in the Lua that must be seen.

use std::fmt::Debug;
use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Program, Record};
use larder_store::{ManualClock, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{self, Fault, Pair, Step, Traces};

/// Draws one step of a trace.
pub(crate) type Next = fn(&mut Rng) -> Box<dyn Step>;

const SEEDS: u64 = 12;
const STEPS: usize = 400;

/// A step after which the TTLs end that it set.
pub(crate) fn after<P>(program: P, ttls: Vec<Ttl>) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    let spans = ttls.iter().map(|ttl| ttl.as_micros()).collect();
    trace::after(program, spans)
}

pub(crate) fn ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 2, 1_500, 60_000][rng.usize(..4)])
}

/// A TTL after which a record of several members has mostly been built up.
pub(crate) fn long_ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 60_000, 600_000, 3_600_000][rng.usize(..4)])
}

pub(crate) async fn pair(server: &RedisServer) -> Pair {
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

/// Fails where the two forms differ in a seeded trace.
pub(crate) async fn holds<R: Record>(next: Next) {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(SEEDS, STEPS, async || pair(&server).await);
    traces.agree::<R, _>(|| next).await;
}

/// Fails where the traces miss one of the faults.
pub(crate) async fn catches<R: Record>(next: Next, faults: &[Fault]) {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(SEEDS, STEPS, async || pair(&server).await);
    traces.catch::<R, _>(|| next, faults).await;
}
