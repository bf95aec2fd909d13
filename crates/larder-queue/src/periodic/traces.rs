use fastrand::Rng;
use larder_store::program::Program;
use larder_store::{Timestamp, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{Step, Traces, after};
use larder_worlds::traces::pair;

use super::record::{Advance, LastTick};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    // Around the time at which traces begin, before it, and not at all.
    let present = 1_767_225_600_000_000;
    let (soon, day) = (present + 1_600_000, 86_400_000_000);
    let to = [
        0,
        0,
        present - 5,
        present + 500_000,
        soon,
        soon + day,
        soon + 2 * day,
    ][rng.usize(..7)];
    let ttl = Ttl::from_millis([1, 1_500, 60_000][rng.usize(..3)]);
    let advance = Advance {
        to: Timestamp::from_micros(to),
        ttl,
    };
    after(advance, vec![ttl.as_micros()])
}

#[tokio::test]
async fn the_last_tick_moves_alike_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(4, 200, async || Box::pin(pair(&server)).await);
    traces.agree::<LastTick, _>(|| next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_the_last_tick_is_caught() {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(4, 200, async || Box::pin(pair(&server)).await);
    let faults = [
        (Advance::SCRIPT, "if not last or", "last = last or 0 if"),
        (Advance::SCRIPT, "+ 86400000000", "+ 86400000000 * 3"),
        (Advance::SCRIPT, "math.max", "math.min"),
        (
            Advance::SCRIPT,
            "tonumber(ARGV[2]))",
            "tonumber(ARGV[2]) + 1)",
        ),
        (
            Advance::SCRIPT,
            "num(moment), num(last)}",
            "num(last), num(last)}",
        ),
    ];
    traces.catch::<LastTick, _>(|| next, &faults).await;
}
