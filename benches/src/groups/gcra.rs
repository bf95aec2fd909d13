//! One step of a rate limit, in process and on Redis.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use governor::{Quota as GovernorQuota, RateLimiter};
use larder_moka::MokaStore;
use larder_rate_limit::{Gcra, Quota};
use larder_redis::RedisStore;
use larder_store::program::{Programs, Record};
use larder_store::{Key, Kind, Store};
use redis::Script;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime, tasks};

const KIND: Kind = <larder_rate_limit::Tat as Record>::KIND;
const KEYS: u32 = 1_000;
const OPERATIONS: usize = 200_000;
/// So much that nobody is refused, and slow enough to come back that records stay.
const LIMIT: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// What somebody would write by hand for one limiter: the least that a step can cost.
const BY_HAND: &str = "
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local charged = tat + ARGV[1]
local wait = charged - ARGV[2] - now
if wait > 0 then return {0, 0, wait, tat - now} end
redis.call('SET', KEYS[1], string.format('%.0f', charged), 'PX', math.ceil((charged - now) / 1000))
return {1, math.floor((ARGV[2] - (charged - now)) / ARGV[1]), 0, charged - now}";

pub(crate) fn run(url: &str) -> Vec<Row> {
    vec![in_process(), on_redis(url)]
}

fn gcra() -> Gcra {
    Gcra::new(Quota::per_hour(LIMIT.get()), 1).expect("a quota")
}

fn in_process() -> Row {
    let runtime = runtime();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let programs = store.programs().expect("it runs programs");
    let keys: Vec<Key> = (0..KEYS).map(|n| Key::new(KIND, ("default", n))).collect();
    let step = gcra();
    let governor = RateLimiter::keyed(GovernorQuota::per_hour(LIMIT));
    compare(
        "GCRA step in process, 1,000 keys",
        15,
        (
            "program",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for n in 0..OPERATIONS {
                        let decision = programs.run(&keys[n % keys.len()], &step).await;
                        assert!(decision.is_ok());
                    }
                    per_operation(started.elapsed(), OPERATIONS)
                })
            }),
        ),
        (
            "governor, keyed",
            Box::new(|| {
                let started = Instant::now();
                for n in 0..OPERATIONS {
                    let _ = std::hint::black_box(governor.check_key(&(n as u32 % KEYS)));
                }
                per_operation(started.elapsed(), OPERATIONS)
            }),
        ),
        Bar::CostAtMost(2.0),
    )
    .with_note("no allocation, which a test asserts; governor keeps a number, and ours finds any record by a text")
}

fn on_redis(url: &str) -> Row {
    let runtime = runtime();
    let (programs, raw) = runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(RedisStore::connect(url).await.expect("a store"));
        (
            store.programs().expect("it runs programs"),
            raw_connection(url).await,
        )
    });
    let script = Arc::new(Script::new(BY_HAND));
    let each = 150;
    compare(
        "GCRA step on Redis, 64 tasks",
        15,
        (
            "program",
            Box::new(|| tasks(&runtime, 64, each, |n| ours(programs.clone(), n, each))),
        ),
        (
            "raw EVALSHA by hand",
            Box::new(|| {
                tasks(&runtime, 64, each, |n| {
                    theirs(raw.clone(), script.clone(), n, each)
                })
            }),
        ),
        Bar::ThroughputAtLeast(0.95),
    )
    .with_note("ours also looks for a ban, and checks the form of what it reads")
}

async fn ours(programs: Arc<dyn Programs>, task: usize, operations: usize) {
    let key = Key::new(KIND, ("default", task as u32));
    let step = gcra();
    for _ in 0..operations {
        let _ = programs.run(&key, &step).await.expect("Redis answers");
    }
}

async fn theirs(
    mut raw: redis::aio::MultiplexedConnection,
    script: Arc<Script>,
    task: usize,
    operations: usize,
) {
    let key = format!("raw:{{{task}}}");
    for _ in 0..operations {
        let _: Vec<i64> = script
            .key(&key)
            .arg(3_600)
            .arg(3_600_000_000_u64)
            .invoke_async(&mut raw)
            .await
            .expect("Redis answers");
    }
}
