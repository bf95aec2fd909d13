//! Compares the Lua and the Rust of each program, at the edges of deadlines.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use larder::Store;
use larder::moka::MokaStore;
use larder::redis::RedisStore;
use larder::store::ManualClock;
use larder::store::program::{Effect, Program, Programs, Script};
use larder_test::server::RedisServer;
use larder_test::trace::{Divergence, Pair, Sabotaged, Step, step, trace};

use super::*;

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 300_000_000];

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(10));
    let lua: Arc<dyn Store> = Arc::new(lua.connect().await.unwrap());
    Pair {
        clock,
        rust: rust.programs().unwrap(),
        lua: lua.programs().unwrap(),
    }
}

/// A step, and the ends of holds to which the clock is moved after it.
fn ending<P>(program: P, spans: &[i64]) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    let spans = spans.to_vec();
    step(program, move |_, now| {
        spans.iter().map(|span| now.plus_micros(*span)).collect()
    })
}

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let holder: Arc<str> = ["7", "1 0", "42"][rng.usize(..3)].into();
    let seats = (0..rng.usize(..4)).map(|_| Seat {
        row: rng.u8(1..3),
        number: [1, 2, 12][rng.usize(..3)],
    });
    let seats: BTreeSet<Seat> = seats.collect();
    let span = SPANS[rng.usize(..SPANS.len())];
    match rng.u8(..10) {
        0..=4 => {
            let hold = HoldSeats {
                holder,
                span,
                cap: rng.i64(1..4),
                seats,
            };
            ending(hold, &[span])
        }
        5 | 6 => {
            let secure = SecureSeats {
                holder,
                span,
                seats,
            };
            ending(secure, &[span])
        }
        7 | 8 => ending(ReleaseSeats { holder, seats }, &[]),
        _ => ending(ReadHolds, &[]),
    }
}

#[tokio::test]
async fn the_programs_on_holds_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    for seed in 0..20 {
        let pair = pair(&server).await;
        if let Err(divergence) = trace::<HoldsRecord>(&pair, seed, 500, next).await {
            panic!("{divergence}");
        }
    }
}

/// Runs the traces with one change in one script, and returns whether any trace noticed.
async fn is_caught(
    server: &RedisServer,
    script: &'static Script,
    from: &str,
    to: &str,
) -> Option<Box<Divergence>> {
    assert!(script.lua().contains(from), "{}: {from}", script.name());
    let lua: &'static str = script.lua().replacen(from, to, 1).leak();
    for seed in 1_000..1_020 {
        let mut pair = pair(server).await;
        let broken = Script::new(script.name(), Effect::Once, lua);
        let sabotaged: Arc<dyn Programs> = Arc::new(Sabotaged::new(pair.lua, broken));
        pair.lua = sabotaged;
        if let Err(divergence) = trace::<HoldsRecord>(&pair, seed, 500, next).await {
            return Some(divergence);
        }
    }
    None
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_is_caught() {
    let server = RedisServer::start().unwrap();
    for (script, from, to) in [
        (HoldSeats::SCRIPT, "now >= ends", "now > ends"),
        (HoldSeats::SCRIPT, "if #taken > 1 then return taken end", ""),
        (HoldSeats::SCRIPT, "mine + #new >", "#new >"),
        (HoldSeats::SCRIPT, "+ #new > tonumber", "+ #new >= tonumber"),
        (
            HoldSeats::SCRIPT,
            "last = math.max(last, ends)",
            "last = ends",
        ),
        (HoldSeats::SCRIPT, "if not holder then", "if true then"),
        (SecureSeats::SCRIPT, "now >= ends", "now > ends"),
        (
            SecureSeats::SCRIPT,
            "if holder == ARGV[1] then",
            "if true then",
        ),
        (
            SecureSeats::SCRIPT,
            "math.max(mine[ARGV[at]], till)",
            "till",
        ),
        (
            SecureSeats::SCRIPT,
            "if not mine[ARGV[at]] then return 0 end",
            "",
        ),
        (ReleaseSeats::SCRIPT, "holder == ARGV[1] and ", ""),
        (ReleaseSeats::SCRIPT, "now >= ends", "now > ends"),
        (ReadHolds::SCRIPT, "now < tonumber", "now <= tonumber"),
    ] {
        let caught = is_caught(&server, script, from, to).await;
        assert!(caught.is_some(), "{}: {from} went unseen", script.name());
    }
}
