use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::{MAX_INT, Program, Script};
use larder_test::trace::Step as TraceStep;

use super::programs::{Add, BucketsRecord, Read, Step};
use crate::traces::{catches, holds, long_ttl};

const LEVELS: [Step; 2] = [
    Step {
        step: 1_000_000,
        keep: 3,
    },
    Step {
        step: 7_000_000,
        keep: 2,
    },
];

fn next(rng: &mut Rng) -> Box<dyn TraceStep> {
    // The clock often moves to the edge of a bucket.
    let edges = |now: Timestamp| {
        let next = |step: i64| (now.as_micros() / step + 1) * step;
        LEVELS
            .map(|it| Timestamp::from_micros(next(it.step)))
            .to_vec()
    };
    if rng.u8(..3) == 0 {
        let Step { step, keep } = LEVELS[rng.usize(..2)];
        let many = rng.i64(1..=keep);
        return larder_test::trace::step(Read { step, many }, move |_, now| edges(now));
    }
    let ttl = long_ttl(rng);
    // Sometimes the first level keeps fewer buckets than before, and the second keeps so many that they have room.
    let mut keep = |level: &Step| match level.step {
        1_000_000 => rng.i64(1..=level.keep),
        _ => level.keep,
    };
    let levels = LEVELS.map(|level| Step {
        keep: keep(&level),
        ..level
    });
    let add = Add {
        by: [1, 1, 2, 5, MAX_INT - 3][rng.usize(..5)],
        ttl,
        levels: levels[rng.usize(..2)..].to_vec(),
    };
    larder_test::trace::step(add, move |_, now| {
        let mut edges = edges(now);
        edges.push(now.plus_micros(ttl.as_micros()));
        edges
    })
}

#[tokio::test]
async fn the_programs_on_buckets_do_the_same_in_lua_and_in_rust() {
    holds::<BucketsRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_buckets_is_caught() {
    const ADD: &Script = Add::SCRIPT;
    catches::<BucketsRecord>(
        next,
        &[
            (
                ADD,
                "(now - now % tonumber(step)) / tonumber(step) end",
                "math.ceil(now / tonumber(step)) end",
            ),
            (
                ADD,
                "by > 9007199254740992 - count",
                "by >= 9007199254740992 - count",
            ),
            (ADD, "then return 0 end", "then return 1 end"),
            (ADD, "bucket > newest then", "bucket >= newest + 2 then"),
            (ADD, "- keep + 1, math", "- keep + 2, math"),
            (ADD, "bucket - keep) do", "bucket - keep - 1) do"),
            (ADD, "bucket - keep) do", "bucket - keep + 1) do"),
            (ADD, "forget(step, bucket - keep)", "forget(step, bucket)"),
            (ADD, "num(count(step, bucket) + by)", "num(by)"),
            (ADD, "ttl(KEYS[1], ARGV[2])", "ttl(KEYS[1], ARGV[2] + 1)"),
            (ADD, "if kept > keep then", "if false then"),
            (ADD, "if keep > kept then", "if true then"),
            (
                Read::SCRIPT,
                "running - many + i)",
                "running - many + i - 1)",
            ),
            (Read::SCRIPT, "or 0)", "or 1)"),
        ],
    )
    .await;
}
