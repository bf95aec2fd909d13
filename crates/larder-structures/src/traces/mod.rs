//! Holds the Lua of each program against its Rust, and plants faults in the Lua that must be seen.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Effect, Program, Programs, Record, Script};
use larder_store::{ManualClock, Store, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Sabotaged, Step, step, trace};

/// Draws one step of a trace.
pub(crate) type Next = fn(&mut Rng) -> Box<dyn Step>;

/// A script, a text in it, and what takes its place.
pub(crate) type Fault = (&'static Script, &'static str, &'static str);

const SEEDS: u64 = 12;
const STEPS: usize = 400;

/// A step after which the TTLs end that it set.
pub(crate) fn after<P>(program: P, ttls: Vec<Ttl>) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    step(program, move |_, now| {
        ttls.iter()
            .map(|ttl| now.plus_micros(ttl.as_micros()))
            .collect()
    })
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
    let rust: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap();
    let lua: Arc<dyn Store> = Arc::new(lua);
    Pair {
        clock,
        rust: rust.programs().unwrap(),
        lua: lua.programs().unwrap(),
    }
}

/// Fails where the two forms differ in a seeded trace.
pub(crate) async fn holds<R: Record>(next: Next) {
    let server = RedisServer::start().unwrap();
    for seed in 0..SEEDS {
        let pair = pair(&server).await;
        if let Err(divergence) = trace::<R>(&pair, seed, STEPS, next).await {
            panic!("{divergence}");
        }
    }
}

/// Fails where the traces miss one of the faults.
pub(crate) async fn catches<R: Record>(next: Next, faults: &[Fault]) {
    let server = RedisServer::start().unwrap();
    let mut missed = Vec::new();
    for &fault in faults {
        if !is_caught::<R>(&server, next, fault).await {
            missed.push((fault.0.name(), fault.1, fault.2));
        }
    }
    assert!(missed.is_empty(), "the traces missed {missed:#?}");
}

async fn is_caught<R: Record>(server: &RedisServer, next: Next, (script, from, to): Fault) -> bool {
    assert!(script.lua().contains(from), "{}: {from}", script.name());
    let lua: &'static str = script.lua().replacen(from, to, 1).leak();
    for seed in 1_000..1_000 + SEEDS {
        let mut pair = pair(server).await;
        let mut broken = Script::new(script.name(), Effect::Once, lua);
        if script.is_run_when_full() {
            broken = broken.runs_when_full();
        }
        let sabotaged: Arc<dyn Programs> = Arc::new(Sabotaged::new(pair.lua, broken));
        pair.lua = sabotaged;
        if trace::<R>(&pair, seed, STEPS, next).await.is_err() {
            return true;
        }
    }
    false
}
