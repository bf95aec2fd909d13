use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{MAX_INT, Program, Programs, Record as _, Script};
use larder_store::{Key, Timestamp, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{Observed, Pair, Sabotaged, Step};
use larder_worlds::traces::pair;

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

fn near(
    rng: &mut Rng,
    make: impl Fn(i64, u32) -> Box<dyn Step> + Send + Sync + 'static,
) -> Box<dyn Step> {
    let (by, many) = ([0, 0, -1, 1, -2, -1_000][rng.usize(..6)], many(rng));
    let name = format!("{}, {many}, beside {by}", make(0, many).name());
    let make = move |now: i64| make(now + by, many);
    Box::new(Near { name, make })
}

/// A page may be longer than what is read at a time.
fn many(rng: &mut Rng) -> u32 {
    [0, 1, 2, 3, 17, 40][rng.usize(..6)]
}

/// An item is at most 16 bytes.
fn bytes(rng: &mut Rng) -> u32 {
    [0, 2, 16, 40, 1_000][rng.usize(..5)]
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
        6 | 7 => {
            let bytes = bytes(rng);
            near(rng, move |number, many| {
                let beside = Beside::Before(number);
                read(beside, many, bytes)
            })
        }
        8 => {
            let bytes = bytes(rng);
            near(rng, move |number, many| {
                let beside = Beside::After(number);
                read(beside, many, bytes)
            })
        }
        9 if rng.bool() => {
            let beside = [Beside::Before(MAX_INT), Beside::After(0)][rng.usize(..2)];
            read(beside, many(rng), bytes(rng))
        }
        9 => near(rng, |number, _| after(Remove { number }, vec![])),
        10 => after(Len, vec![]),
        _ if rng.u8(..6) == 0 => after(Clear, vec![]),
        _ => after(Len, vec![]),
    }
}

fn read(beside: Beside, many: u32, bytes: u32) -> Box<dyn Step> {
    let read = Read {
        beside,
        many,
        bytes,
    };
    after(read, vec![])
}

#[tokio::test]
async fn the_programs_on_a_recent_list_do_the_same_in_lua_and_in_rust() {
    holds::<RecentRecord>(next).await;
}

/// Pushes items, removes the newest first, and pushes another, all within a microsecond. Returns the numbers.
async fn numbers(programs: &dyn Programs, key: &Key, clears: bool) -> [i64; 3] {
    let push = Push {
        item: Bytes::from_static(b"a"),
        ttl: Ttl::from_secs(60),
        max_items: 9,
    };
    let one = programs.run(key, &push).await.unwrap();
    let two = programs.run(key, &push).await.unwrap();
    assert!(programs.run(key, &Remove { number: two }).await.unwrap());
    if clears {
        assert_eq!(programs.run(key, &Clear).await.unwrap(), 1);
    } else {
        assert!(programs.run(key, &Remove { number: one }).await.unwrap());
    }
    let three = programs.run(key, &push).await.unwrap();
    [one, two, three]
}

#[tokio::test]
async fn both_forms_keep_the_last_number_though_it_is_not_that_of_the_newest_item() {
    const KEPT: &str = "math.max(number(newest), number(redis.call('GET', KEYS[2])))";
    let server = RedisServer::start().unwrap();
    let Pair { rust, lua, .. } = Box::pin(pair(&server)).await;
    for (clears, script) in [(false, Remove::SCRIPT), (true, Clear::SCRIPT)] {
        let key = |name| Key::new(RecentRecord::KIND, (name, u8::from(clears)));
        let [one, two, three] = numbers(&*rust, &key("kept"), clears).await;
        assert!(one < two && two < three);
        let same = numbers(&*lua, &key("kept"), clears).await;
        assert_eq!(same, [one, two, three]);
        // A fault that keeps the number of the newest item, whatever is kept already.
        assert!(script.lua().contains(KEPT));
        let broken = script.lua().replacen(KEPT, "number(newest)", 1).leak();
        let broken = Script::new(script.name(), script.effect(), broken).runs_when_full();
        let broken = Sabotaged::new(lua.clone(), broken);
        let given_twice = numbers(&broken, &key("broken"), clears).await;
        assert_eq!(given_twice, [one, two, two]);
    }
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
            (READ, "'(' .. side", "side"),
            (READ, "ARGV[1] == 'after'", "ARGV[1] == 'before'"),
            (READ, "'LIMIT', 0, few", "'LIMIT', 1, few"),
            (READ, "(most - #items) / 2, 16", "most / 2 + 1, 16"),
            (READ, "(#found[i] - 16)", "#found[i]"),
            (READ, "#items > 0 and room < 0", "room < 0"),
            (READ, "#items > 0 and room < 0", "false"),
            (READ, "2 * ARGV[3] + 2", "2 * ARGV[3]"),
            (READ, "2 * ARGV[3] + 2", "2 * ARGV[3] + 4"),
            (READ, "if #items == most then", "if false then"),
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
