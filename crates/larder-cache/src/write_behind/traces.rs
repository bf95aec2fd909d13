//! Compares the Lua of each program on a journal with its Rust, and plants faults in the Lua.

use std::sync::Arc;

use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::Program;
use larder_test::trace::{Fault, Step, after, step};
use larder_worlds::traces::{catches, holds};
use parking_lot::Mutex;

use super::journal::{
    Bury, DeadAt, DeadKeys, Journal, Outcome, Pending, Push, Settle, Take, Taken,
};

const SPANS: [i64; 3] = [1, 1_000, 1_500_001];
const KEEP: i64 = 60_000_000;

fn key(rng: &mut Rng) -> Vec<u8> {
    [&b"a"[..], b"A", b"zz", b"\0\n%"][rng.usize(..4).min(rng.usize(..4))].to_vec()
}

/// The last write that was taken, so that a trace can settle it.
type Last = Arc<Mutex<Option<(Taken, i64)>>>;

fn next(rng: &mut Rng, last: &Last) -> Box<dyn Step> {
    let span = SPANS[rng.usize(..SPANS.len())];
    match rng.u8(..20) {
        0..=4 => {
            let push = Push {
                key: key(rng),
                value: (0..rng.usize(..4)).map(|_| rng.u8(..)).collect(),
                cap: rng.i64(1..4).min(rng.i64(1..4)),
                keep: KEEP,
            };
            after(push, vec![KEEP])
        }
        5..=7 => {
            let take = Take {
                count: rng.i64(1..3),
                hold: span,
                keep: KEEP,
                max_attempts: rng.i64(1..4),
            };
            let last = last.clone();
            step(take, move |batch, now: Timestamp| {
                if let Some(taken) = batch.writes.last() {
                    *last.lock() = Some((taken.clone(), batch.until));
                }
                vec![now.plus_micros(span)]
            })
        }
        8..=12 => {
            let taken = last.lock().clone();
            let (key, version, until) = match taken {
                Some((taken, until)) => (taken.key, taken.version, until),
                None => (key(rng), 1, 0),
            };
            let settle = Settle {
                key,
                until,
                version: version + i64::from(rng.u8(..4) == 0),
                // It often fails, so that there are dead letters.
                outcome: match rng.u8(..8) {
                    0 => Outcome::Written,
                    1 | 2 => Outcome::Left,
                    _ => Outcome::Failed,
                },
                retry: span,
                max_attempts: rng.i64(1..4).min(rng.i64(1..4)).min(rng.i64(1..4)),
                keep: KEEP,
            };
            after(settle, vec![span])
        }
        13 => after(Pending(key(rng)), Vec::new()),
        14 => after(DeadKeys, Vec::new()),
        15 => after(DeadAt(vec![key(rng), key(rng)]), Vec::new()),
        _ => {
            let taken = last.lock().clone();
            let bury = Bury {
                key: taken.map_or_else(|| key(rng), |(taken, _)| taken.key),
                tries_again: rng.bool(),
                keep: KEEP,
            };
            after(bury, Vec::new())
        }
    }
}

/// Begins a trace, in which the last taken write may be settled.
fn begin() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let last = Last::default();
    move |rng| next(rng, &last)
}

#[tokio::test]
async fn the_programs_on_a_journal_do_the_same_in_lua_and_in_rust() {
    holds::<Journal, _>((20, 500), begin).await;
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_a_journal_is_caught() {
    let faults: &[Fault] = &[
        (Push::SCRIPT, " and dead == 0", ""),
        (Push::SCRIPT, "count >= tonumber", "count > tonumber"),
        (Push::SCRIPT, "attempts = 0", "attempts = 1"),
        (Push::SCRIPT, "math.max(now, last + 1)", "last + 1"),
        (
            Push::SCRIPT,
            "math.max(now, last + 1)",
            "math.max(now, last)",
        ),
        (Push::SCRIPT, "if not held then\n", "if true then\n"),
        (Push::SCRIPT, "redis.call('HDEL', KEYS[3], ARGV[1])\n", "\n"),
        (Take::SCRIPT, "held.attempts + 1", "held.attempts"),
        (Take::SCRIPT, "num(until_), key", "num(now), key"),
        (Take::SCRIPT, "'-inf', num(now)", "'-inf', '(' .. num(now)"),
        (Settle::SCRIPT, " or due(ARGV[1]) ~= tonumber(ARGV[2])", ""),
        (
            Settle::SCRIPT,
            "ARGV[4] == '1' and is_last",
            "ARGV[4] == '1'",
        ),
        (Settle::SCRIPT, "'0' and is_last and held", "'0' and held"),
        (Settle::SCRIPT, "ARGV[4] == '0' and ", ""),
        (Settle::SCRIPT, "held.attempts = held.attempts - 1", ""),
        (Settle::SCRIPT, " and held.attempts > 0", ""),
        (DeadKeys::SCRIPT, "KEYS[3])\n", "KEYS[1])\n"),
        (DeadAt::SCRIPT, "read(KEYS[3], key)", "read(KEYS[1], key)"),
        (
            Settle::SCRIPT,
            "held.attempts >= tonumber",
            "held.attempts > tonumber",
        ),
        (Settle::SCRIPT, "num(now + tonumber(ARGV[5]))", "num(now)"),
        (Push::SCRIPT, "  waits(ARGV[1], now)\n", ""),
        (Settle::SCRIPT, "  waits(ARGV[1], now)\n", ""),
        (Take::SCRIPT, "first(KEYS[5])", "first(KEYS[2])"),
        (
            Take::SCRIPT,
            "attempts >= tonumber(ARGV[4])",
            "attempts > tonumber(ARGV[4])",
        ),
        (Bury::SCRIPT, "  waits(ARGV[1], now)\n", ""),
        (Pending::SCRIPT, "read(KEYS[1]", "read(KEYS[3]"),
        (Bury::SCRIPT, "it.attempts = 0", ""),
        (Bury::SCRIPT, "if ARGV[2] == '1' then", "if true then"),
    ];
    catches::<Journal, _>((50, 500), begin, faults).await;
}
