use bytes::Bytes;
use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::{MAX_INT, Program, Script};
use larder_test::trace::Step;

use super::programs::{Beside, Clear, Len, Push, Read, RecentRecord, Remove};
use crate::traces::{after, catches, holds, long_ttl};

/// The time at which the clock of a trace begins, and about where it goes.
const START: i64 = 1_767_225_600_000_000;

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let ttl = long_ttl(rng);
    match rng.u8(..12) {
        0..=5 => {
            let push = Push {
                item: Bytes::from_static(
                    [&b"a"[..], b"\0\xff", b"0000000000000001"][rng.usize(..3)],
                ),
                ttl,
                max_items: [1, 3, 50, 50][rng.usize(..4)],
            };
            after(push, vec![ttl])
        }
        6..=8 => {
            let number = number(rng);
            let beside = [Beside::Before(number), Beside::After(number)][rng.usize(..2)];
            let many = rng.u32(1..4);
            after(Read { beside, many }, vec![])
        }
        9 => {
            let number = number(rng);
            // The next push is at the very moment of a number that is removed.
            larder_test::trace::step(Remove { number }, move |_, _| {
                vec![Timestamp::from_micros(number)]
            })
        }
        10 => after(Len, vec![]),
        _ if rng.u8(..6) == 0 => after(Clear, vec![]),
        _ => after(Len, vec![]),
    }
}

fn number(rng: &mut Rng) -> i64 {
    match rng.u8(..4) {
        0 => [0, MAX_INT][rng.usize(..2)],
        1 => START + rng.i64(..100),
        _ => START + rng.i64(..60_000_000),
    }
}

#[tokio::test]
async fn the_programs_on_a_recent_list_do_the_same_in_lua_and_in_rust() {
    holds::<RecentRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_recent_list_is_caught() {
    const PUSH: &Script = Push::SCRIPT;
    const READ: &Script = Read::SCRIPT;
    catches::<RecentRecord>(
        next,
        &[
            (PUSH, "math.max(now(), (tonumber(last) or 0) + 1)", "now()"),
            (
                PUSH,
                "(tonumber(last) or 0) + 1",
                "(tonumber(last) or 0) + 2",
            ),
            (PUSH, "-1 - tonumber(ARGV[3])", "0 - tonumber(ARGV[3])"),
            (PUSH, "-1 - tonumber(ARGV[3])", "-2 - tonumber(ARGV[3])"),
            (
                PUSH,
                "'ZREMRANGEBYRANK', KEYS[1], 0, -1 -",
                "'ZREMRANGEBYRANK', KEYS[1], 1, -1 -",
            ),
            (PUSH, "ttl(KEYS[1], ARGV[2])", "ttl(KEYS[1], ARGV[2] + 1)"),
            (PUSH, "'%016.0f'", "'%015.0f '"),
            (READ, "'(' .. ARGV[2]", "ARGV[2]"),
            (READ, "ARGV[1] == 'after'", "ARGV[1] == 'before'"),
            (READ, "0, many)\n         end", "1, many)\n         end"),
            (Remove::SCRIPT, "ARGV[1], ARGV[1])", "ARGV[1], '+inf') > 0"),
            (Clear::SCRIPT, "del(KEYS[1])", ""),
            (
                Len::SCRIPT,
                "redis.call('ZCARD', KEYS[1])",
                "redis.call('ZCARD', KEYS[1]) + 1",
            ),
        ],
    )
    .await;
}
