use std::sync::Arc;

use fastrand::Rng;
use larder_store::program::{Program, Script};
use larder_test::trace::Step;

use super::programs::{Add, Contains, Len, Pick, Read, Remove, SetRecord};
use crate::traces::{after, catches, holds, long_ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let ttl = long_ttl(rng);
    match rng.u8(..12) {
        0..=3 => {
            let add = Add {
                ttl,
                max_members: [2, 4, 100, 100][rng.usize(..4)],
                members: members(rng),
            };
            after(add, vec![ttl])
        }
        4 | 5 => after(
            Remove {
                members: members(rng),
            },
            vec![],
        ),
        6 => after(
            Contains {
                members: members(rng),
            },
            vec![],
        ),
        7 | 8 => {
            let from: Arc<str> = if rng.bool() { "".into() } else { member(rng) };
            let many = rng.u32(1..4);
            after(Read { after: from, many }, vec![])
        }
        9 | 10 => {
            let pops = rng.u8(..3) == 0;
            let draws = (0..rng.usize(1..4)).map(|_| rng.u32(..)).collect();
            after(Pick { pops, draws }, vec![])
        }
        _ => after(Len, vec![]),
    }
}

fn members(rng: &mut Rng) -> Vec<Arc<str>> {
    (0..rng.usize(1..4)).map(|_| member(rng)).collect()
}

fn member(rng: &mut Rng) -> Arc<str> {
    ["ada", "Ada", "grace", "é", "z", "+", "-", "[a"][rng.usize(..8)].into()
}

#[tokio::test]
async fn the_programs_on_a_member_set_do_the_same_in_lua_and_in_rust() {
    holds::<SetRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_member_set_is_caught() {
    const ADD: &Script = Add::SCRIPT;
    catches::<SetRecord>(
        next,
        &[
            (ADD, "not seen[member] and", ""),
            (ADD, "and not redis.call('ZSCORE', KEYS[1], member)", ""),
            (ADD, "+ #new > tonumber", "+ #new >= tonumber"),
            (ADD, "if #new > 0 and", "if"),
            (ADD, "return false end", "return 0 end"),
            (ADD, "KEYS[1], 0, member", "KEYS[1], #new, member"),
            (ADD, "ttl(KEYS[1], ARGV[1])", "ttl(KEYS[1], ARGV[1] + 1)"),
            (Remove::SCRIPT, "unpack(ARGV))", "ARGV[1])"),
            (Contains::SCRIPT, "score and 1 or 0", "score and 0 or 1"),
            (Read::SCRIPT, "'(' .. ARGV[1]", "'[' .. ARGV[1]"),
            (Read::SCRIPT, "'LIMIT', 0, ARGV[2]", "'LIMIT', 1, ARGV[2]"),
            (Pick::SCRIPT, "% members", "% (members + 1)"),
            (Pick::SCRIPT, "ARGV[1] == '1'", "true"),
            (
                Len::SCRIPT,
                "redis.call('ZCARD', KEYS[1])",
                "redis.call('ZCARD', KEYS[1]) + 1",
            ),
        ],
    )
    .await;
}
