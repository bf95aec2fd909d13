use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{MAX_INT, Program, Programs, Script};
use larder_store::{Key, Timestamp};
use larder_test::trace::{Observed, Step};

use super::programs::{Beside, Clear, Len, Push, Read, RecentRecord, Remove};
use crate::traces::{after, catches, holds, long_ttl};

/// A step on a number that is a little before or after the moment of the step.
struct Near<F> {
    name: String,
    make: F,
}

#[async_trait]
impl<F: Fn(i64) -> Box<dyn Step> + Send + Sync> Step for Near<F> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        (self.make)(now.as_micros()).run(programs, key, now).await
    }
}

fn near(rng: &mut Rng, make: fn(i64, u32) -> Box<dyn Step>) -> Box<dyn Step> {
    let (by, many) = ([0, 0, -1, 1, -2, -1_000][rng.usize(..6)], rng.u32(1..4));
    let name = format!("{}, {many}, beside {by}", make(0, many).name());
    let make = move |now: i64| make(now + by, many);
    Box::new(Near { name, make })
}

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
        6 | 7 => near(rng, |number, many| {
            let beside = Beside::Before(number);
            after(Read { beside, many }, vec![])
        }),
        8 => near(rng, |number, many| {
            let beside = Beside::After(number);
            after(Read { beside, many }, vec![])
        }),
        9 if rng.bool() => {
            let beside = [Beside::Before(MAX_INT), Beside::After(0)][rng.usize(..2)];
            after(Read { beside, many: 3 }, vec![])
        }
        9 => near(rng, |number, _| after(Remove { number }, vec![])),
        10 => after(Len, vec![]),
        _ if rng.u8(..6) == 0 => after(Clear, vec![]),
        _ => after(Len, vec![]),
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
            (PUSH, "math.max(now(), last + 1)", "now()"),
            (PUSH, "last + 1)", "last + 2)"),
            (
                PUSH,
                "math.max(last, number(redis.call('GET', KEYS[2])))",
                "last",
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
            (Clear::SCRIPT, "then keep_last() end", "then end"),
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
