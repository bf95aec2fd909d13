//! Compares the Lua of each program on a journal with its Rust, and plants faults in the Lua.

use std::sync::Arc;

use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::Program;
use larder_test::trace::{Fault, Step, after, step};
use larder_worlds::traces::{catches, holds};
use parking_lot::Mutex;

use crate::envelope::Form;

use super::journal::{
    Bury, DeadAt, DeadKeys, Journal, Outcome, Pending, Push, Settle, Take, Taken,
};

const SPANS: [i64; 3] = [1, 1_000, 1_500_001];
const KEEP: i64 = 60_000_000;
const MAX_LEFT: i64 = 1_000;

/// Returns the first bytes of a value: mostly those of two forms, and rarely those of others.
fn head(rng: &mut Rng) -> [u8; 32] {
    let mut head = [7; 32];
    match rng.u8(..12) {
        0..=4 => {}
        5..=7 => head[31] = 8,
        8 => head[25] = 5,
        // Whether it is compressed does not matter.
        9 => head[25] = 6,
        10 => head[24] = 8,
        _ => head[0] = 8,
    }
    head
}

fn value(rng: &mut Rng) -> Vec<u8> {
    let mut value = head(rng).to_vec();
    value.truncate([32, 32, 32, 31, 0][rng.usize(..5)]);
    value.extend((0..rng.usize(..4)).map(|_| rng.u8(..)));
    value
}

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
                value: value(rng),
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
                form: Form::of(&head(rng)),
                max_left: MAX_LEFT,
            };
            let last = last.clone();
            step(take, move |batch, now: Timestamp| {
                if let Some(taken) = batch.writes.last() {
                    *last.lock() = Some((taken.clone(), batch.until));
                }
                vec![now.plus_micros(span), now.plus_micros(MAX_LEFT)]
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
                // It is rarely written, so that there are dead letters.
                outcome: match rng.u8(..8) {
                    0 => Outcome::Written,
                    1..=4 => Outcome::Left,
                    _ => Outcome::Failed,
                },
                retry: span,
                max_attempts: rng.i64(1..4).min(rng.i64(1..4)).min(rng.i64(1..4)),
                max_left: MAX_LEFT,
                keep: KEEP,
            };
            after(settle, vec![span, MAX_LEFT])
        }
        13 => after(Pending(key(rng)), Vec::new()),
        14 => after(DeadKeys, Vec::new()),
        15 => after(DeadAt(vec![key(rng), key(rng)]), Vec::new()),
        _ => {
            let taken = last.lock().clone();
            let (key, version) = match taken {
                Some((taken, _)) => (taken.key, taken.version),
                None => (key(rng), 1),
            };
            let bury = Bury {
                key,
                tries_again: rng.bool(),
                keep: KEEP,
                version: rng.bool().then(|| version + i64::from(rng.u8(..4) == 0)),
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
        (
            Push::SCRIPT,
            "if not held or not due(ARGV[1]) then",
            "if true then",
        ),
        (Push::SCRIPT, " or not due(ARGV[1])", ""),
        (
            Push::SCRIPT,
            "if held then is_left_no_more(ARGV[1], held) end\n",
            "",
        ),
        (Push::SCRIPT, "if not held then waits", "if true then waits"),
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
        (
            Settle::SCRIPT,
            "ARGV[4] == '2' and is_last",
            "ARGV[4] == '2'",
        ),
        (Settle::SCRIPT, "is_last and held.attempts", "held.attempts"),
        (
            Settle::SCRIPT,
            "math.max(held.attempts - 1, 0)",
            "held.attempts",
        ),
        (Settle::SCRIPT, "<= now - tonumber", "< now - tonumber"),
        (Settle::SCRIPT, "'NX', num(now), key", "num(now), key"),
        (
            Settle::SCRIPT,
            "  if held then is_left_no_more(key, held) end\n",
            "",
        ),
        (
            Settle::SCRIPT,
            "if ARGV[4] == '1' then waits(ARGV[1], now) end",
            "",
        ),
        (
            Settle::SCRIPT,
            "  redis.call('ZREM', KEYS[7], ARGV[1])\n",
            "",
        ),
        (DeadKeys::SCRIPT, "KEYS[3])\n", "KEYS[1])\n"),
        (DeadAt::SCRIPT, "read(KEYS[3], key)", "read(KEYS[1], key)"),
        (
            Settle::SCRIPT,
            "held.attempts >= tonumber",
            "held.attempts > tonumber",
        ),
        (Settle::SCRIPT, "num(next_due)", "num(now)"),
        (Push::SCRIPT, "waits(ARGV[1], now) end", "end"),
        (Take::SCRIPT, "first(KEYS[5])", "first(KEYS[2])"),
        (Take::SCRIPT, "'0', ARGV[1])", "'0', '-1')"),
        (Take::SCRIPT, "num(many + 100)", "num(many)"),
        (Take::SCRIPT, "if #taken == many then break end", ""),
        (Take::SCRIPT, "num(now - tonumber(ARGV[6]))", "num(now)"),
        (Take::SCRIPT, "  if not due(key) then", "  if true then"),
        (
            Take::SCRIPT,
            "    elseif form(held.value) ~= ARGV[5] then\n      --",
            "    else\n      --",
        ),
        (
            Take::SCRIPT,
            "  redis.call('ZREM', KEYS[6], mine[at])\n",
            "",
        ),
        (
            Take::SCRIPT,
            "  table.insert(all, 1,",
            "  table.insert(all,",
        ),
        (
            Take::SCRIPT,
            "    redis.call('ZREM', KEYS[2], key)\n    redis.call('ZADD'",
            "    redis.call('ZADD'",
        ),
        (Take::SCRIPT, "    left(key, now)\n", ""),
        (
            Take::SCRIPT,
            "'NX', num(now), key)\n  return",
            "num(now), key)\n  return",
        ),
        (
            Take::SCRIPT,
            "  if held then is_left_no_more(key, held) end\n",
            "",
        ),
        (
            Take::SCRIPT,
            "string.byte(value, 26)",
            "string.byte(value, 27)",
        ),
        (
            Take::SCRIPT,
            "string.sub(value, 25, 25)",
            "string.sub(value, 26, 26)",
        ),
        (
            Take::SCRIPT,
            "string.sub(value, 29, 32)",
            "string.sub(value, 28, 31)",
        ),
        (
            Take::SCRIPT,
            "string.sub(value, 1, 4)",
            "string.sub(value, 2, 5)",
        ),
        (
            Take::SCRIPT,
            "attempts >= tonumber(ARGV[4])",
            "attempts > tonumber(ARGV[4])",
        ),
        (Bury::SCRIPT, "  waits(ARGV[1], now)\n", ""),
        (Pending::SCRIPT, "read(KEYS[1]", "read(KEYS[3]"),
        (Bury::SCRIPT, "it.attempts = 0", ""),
        (Bury::SCRIPT, " and it.version ~= version", ""),
        (
            Bury::SCRIPT,
            " or version ~= 0 and it.version ~= version",
            "",
        ),
        (Bury::SCRIPT, "if ARGV[2] == '1' then", "if true then"),
    ];
    catches::<Journal, _>((50, 500), begin, faults).await;
}
