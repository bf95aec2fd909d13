use std::sync::Arc;

use fastrand::Rng;
use larder_store::program::{MAX_INT, Program, Script};
use larder_test::trace::Step;

use super::change::{Change, Op, Remove, Trim};
use super::options::{Layout, Ties};
use super::reads::{Count, ReadPercentile, ReadRanks, ReadRows, ScoreAt, Which};
use super::record::BoardRecord;
use crate::traces::{Next, after, catches, holds, long_ttl};

fn next<const EARLIER: bool, const DENSE: bool>(rng: &mut Rng) -> Box<dyn Step> {
    let layout = Layout {
        lowest_first: true,
        earlier_first: EARLIER,
        dense: DENSE,
    };
    let ties = match rng.u8(..3) {
        0 => Ties::Unique,
        1 => Ties::Competition,
        _ if DENSE => Ties::Dense,
        _ => Ties::Unique,
    };
    let ttl = long_ttl(rng);
    match rng.u8(..20) {
        0..=8 => {
            let change = Change {
                layout,
                op: [Op::Set, Op::Add, Op::Best][rng.usize(..3)],
                member: member(rng),
                number: score(rng),
                ttl,
                max_members: [3, 6, 100][rng.usize(..3)],
            };
            after(change, vec![ttl])
        }
        9 => {
            let members = (0..rng.usize(1..3)).map(|_| member(rng)).collect();
            after(
                Remove {
                    layout,
                    ttl,
                    members,
                },
                vec![ttl],
            )
        }
        10 => {
            let (keep, many) = (rng.u32(..6), rng.u32(1..3));
            after(
                Trim {
                    layout,
                    ttl,
                    keep,
                    many,
                },
                vec![ttl],
            )
        }
        11..=14 => {
            let which = match rng.u8(..3) {
                0 => Which::Positions {
                    first: rng.u32(..4),
                    many: rng.u32(1..4),
                },
                1 => Which::Around {
                    member: member(rng),
                    radius: rng.u32(..3),
                },
                _ => Which::Scores {
                    low: score(rng),
                    high: score(rng),
                    many: rng.u32(1..4),
                },
            };
            after(
                ReadRows {
                    layout,
                    ties,
                    which,
                },
                vec![],
            )
        }
        15 | 16 => {
            let members = (0..3).map(|_| member(rng)).collect();
            after(
                ReadRanks {
                    layout,
                    ties,
                    members,
                },
                vec![],
            )
        }
        17 => {
            let (low, high) = (score(rng), score(rng));
            after(Count { low, high }, vec![])
        }
        18 => after(
            ReadPercentile {
                layout,
                member: member(rng),
            },
            vec![],
        ),
        _ => after(
            ScoreAt {
                percent: rng.u32(..=100),
            },
            vec![],
        ),
    }
}

fn member(rng: &mut Rng) -> Arc<str> {
    ["ada", "Ada", "grace", "katherine", "é", "z", "0"][rng.usize(..7)].into()
}

fn score(rng: &mut Rng) -> i64 {
    match rng.u8(..8) {
        0 => [MAX_INT, -MAX_INT, MAX_INT - 1, 1 - MAX_INT][rng.usize(..4)],
        _ => rng.i64(-2..3),
    }
}

const LAYOUTS: [Next; 4] = [
    next::<false, false>,
    next::<true, false>,
    next::<false, true>,
    next::<true, true>,
];

#[tokio::test]
async fn the_programs_on_a_board_do_the_same_in_lua_and_in_rust() {
    for next in LAYOUTS {
        holds::<BoardRecord>(next).await;
    }
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_board_is_caught() {
    const CHANGE: &Script = Change::SCRIPT;
    const ROWS: &Script = ReadRows::SCRIPT;
    const RANKS: &Script = ReadRanks::SCRIPT;
    catches::<BoardRecord>(
        LAYOUTS[3],
        &[
            (CHANGE, "before <= score", "before < score"),
            (CHANGE, "if op == 'best' and", "if op == 'add' and"),
            (CHANGE, "score > 0 and before > limit - score or", ""),
            (
                CHANGE,
                "before < -limit - score",
                "before <= -limit - score",
            ),
            (CHANGE, "if before ~= score then", "if true then"),
            (CHANGE, "if before then forget(place, before) end", ""),
            (CHANGE, "or 0) + 1)", "or 0) + 0)"),
            (CHANGE, "%016.0f", "%.0f "),
            (
                CHANGE,
                "if dense then redis.call('ZADD'",
                "if false then redis.call('ZADD'",
            ),
            (CHANGE, "trim(tonumber(ARGV[6]), 16)", ""),
            (CHANGE, "renew(ARGV[5])", "ttl(KEYS[1], ARGV[5])"),
            (CHANGE, "ttl(key, ms)", "ttl(key, ms + 1)"),
            (CHANGE, "held(member) and 'kept' or 'trimmed'", "'kept'"),
            (CHANGE, "redis.call('HDEL', KEYS[2], member_of(place))", ""),
            (
                CHANGE,
                "num(score), num(score)) == 0",
                "num(score), num(score)) <= 1",
            ),
            (
                CHANGE,
                "'ZRANGE', KEYS[1], -1, -1",
                "'ZRANGE', KEYS[1], 0, 0",
            ),
            (
                Remove::SCRIPT,
                "if removed > 0 then renew",
                "if false then renew",
            ),
            (Trim::SCRIPT, "math.max(over, 0)", "over"),
            (Trim::SCRIPT, "- keep, many)", "- keep, many + 1)"),
            (ROWS, "math.max(at - radius, 0)", "at - radius"),
            (ROWS, "at + radius\n", "at + radius + 1\n"),
            (ROWS, "'(' .. ARGV[4]", "ARGV[4]"),
            (ROWS, "start + many - 1", "start + many"),
            (ROWS, "string.sub(place, 17)", "string.sub(place, 16)"),
            (ROWS, "rule == 'dense' and KEYS[3] or KEYS[1]", "KEYS[1]"),
            (RANKS, "'(' .. num(score)", "num(score)"),
            (RANKS, "rule == 'unique'", "rule ~= 'dense'"),
            (RANKS, "or false", "or nil"),
            (Count::SCRIPT, "ARGV[1], ARGV[2])", "'-inf', ARGV[2])"),
            (ReadPercentile::SCRIPT, "'(' .. num(score)", "num(score)"),
            (ScoreAt::SCRIPT, "/ 100)", "/ 100 + 0.5)"),
        ],
    )
    .await;
}
