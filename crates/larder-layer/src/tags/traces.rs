//! Holds the Lua of each program on a tag against its Rust, and plants faults in the Lua.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Effect, Program, Programs, Script};
use larder_store::{ManualClock, Store, Timestamp};
use larder_test::server::RedisServer;
use larder_test::trace::{Divergence, Pair, Sabotaged, Step, step, trace};

use super::{ChangeTag, Generation, NoteTag, ReadTag, TagChange, TagRecord};

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 60_000_000];

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(10))
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

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let generation = Generation::from_bytes(std::array::from_fn(|_| rng.u8(..3)));
    let keep = SPANS[rng.usize(..SPANS.len())];
    let edges = move |now: Timestamp, times: &[i64]| -> Vec<Timestamp> {
        times
            .iter()
            .map(|times| now.plus_micros(keep * times))
            .collect()
    };
    match rng.u8(..6) {
        0 | 1 => step(NoteTag { generation, keep }, move |_, now| {
            edges(now, &[1, 2])
        }),
        2 | 3 => {
            let change = match rng.bool() {
                true => TagChange::Remove,
                false => TagChange::Expire,
            };
            let program = ChangeTag {
                change,
                generation,
                keep,
            };
            step(program, move |_, now| edges(now, &[1]))
        }
        _ => step(ReadTag, |_, _| Vec::new()),
    }
}

#[tokio::test]
async fn the_programs_on_a_tag_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    for seed in 0..20 {
        let pair = pair(&server).await;
        if let Err(divergence) = trace::<TagRecord>(&pair, seed, 500, next).await {
            panic!("{divergence}");
        }
    }
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_a_tag_is_caught() {
    let server = RedisServer::start().unwrap();
    let faults: &[(&'static Script, (&str, &str))] = &[
        (ReadTag::SCRIPT, ("held, 1, 16", "held, 1, 8")),
        (ReadTag::SCRIPT, ("num(changed)}", "0}")),
        (NoteTag::SCRIPT, ("kept - now < keep", "kept - now <= keep")),
        (NoteTag::SCRIPT, ("now + 2 * keep", "now + keep")),
        (NoteTag::SCRIPT, ("ARGV[1], 0 end", "ARGV[1], now end")),
        (
            NoteTag::SCRIPT,
            (
                "if not generation then generation",
                "if true then generation",
            ),
        ),
        (ChangeTag::SCRIPT, (" and ARGV[3] == '1'", "")),
        (ChangeTag::SCRIPT, ("generation, 1, 8", "generation, 1, 7")),
        (
            ChangeTag::SCRIPT,
            ("math.max(changed or 0, now)", "(changed or now)"),
        ),
        (
            ChangeTag::SCRIPT,
            ("math.max(kept or 0, now + keep)", "now + keep"),
        ),
    ];
    for &(script, fault) in faults {
        let caught = is_caught(&server, script, fault).await;
        assert!(
            caught.is_some(),
            "{}: {fault:?} was not caught",
            script.name()
        );
    }
}

async fn is_caught(
    server: &RedisServer,
    script: &'static Script,
    (from, to): (&str, &str),
) -> Option<Box<Divergence>> {
    assert!(script.lua().contains(from), "{}: {from}", script.name());
    let lua: &'static str = script.lua().replacen(from, to, 1).leak();
    for seed in 1_000..1_020 {
        let mut pair = pair(server).await;
        let mut broken = Script::new(script.name(), Effect::Once, lua);
        if script.is_run_when_full() {
            broken = broken.runs_when_full();
        }
        let sabotaged: Arc<dyn Programs> = Arc::new(Sabotaged::new(pair.lua, broken));
        pair.lua = sabotaged;
        if let Err(divergence) = trace::<TagRecord>(&pair, seed, 500, next).await {
            return Some(divergence);
        }
    }
    None
}
