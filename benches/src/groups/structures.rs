//! What counters and leaderboards cost beside the raw commands, and in process beside plain collections.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Store, Ttl};
use larder_structures::counter::Counter;
use larder_structures::leaderboard::Leaderboard;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime};

const OPERATIONS: usize = 1_000;
const DAY: Ttl = Ttl::from_secs(86_400);
/// The members of the board in process.
const MEMBERS: u32 = 1_000_000;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let store = runtime.block_on(store(url));
    let raw = runtime.block_on(raw_connection(url));
    vec![
        count(&runtime, &store, &raw),
        score(&runtime, &store, &raw),
        top(&runtime, &store, &raw),
        around(&runtime),
    ]
}

async fn store(url: &str) -> Arc<dyn Store> {
    // Long: a machine may be busy, and a deadline that is missed ends the benchmark.
    let builder = RedisStore::builder(url).with_timeout(Duration::from_secs(10));
    Arc::new(builder.connect().await.expect("a store"))
}

/// Runs an operation for each number, one after the other.
fn each<F: Future<Output = ()>>(runtime: &Runtime, mut operation: impl FnMut(usize) -> F) -> f64 {
    runtime.block_on(async {
        let started = Instant::now();
        for number in 0..OPERATIONS {
            operation(number).await;
        }
        per_operation(started.elapsed(), OPERATIONS)
    })
}

fn count(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let counter = Counter::new(store.clone(), "bench", DAY).expect("a counter");
    compare(
        "Redis, a counter adds, 1 task",
        15,
        (
            "Counter",
            Box::new(|| {
                each(runtime, |_| async {
                    counter.add("hits", 1).await.expect("an answer");
                })
            }),
        ),
        (
            "INCR",
            Box::new(|| {
                each(runtime, |_| {
                    let mut raw = raw.clone();
                    async move {
                        let incr = redis::cmd("INCR").arg("{by-hand}hits").to_owned();
                        let _: i64 = incr.query_async(&mut raw).await.expect("an answer");
                    }
                })
            }),
        ),
        Bar::None,
    )
    .with_note("ours has bounds and a TTL")
}

fn score(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let board = Leaderboard::new(store.clone(), "bench", DAY).expect("a board");
    compare(
        "Redis, a score is added to, 1 task",
        15,
        (
            "Leaderboard",
            Box::new(|| {
                each(runtime, |number| {
                    let member = format!("member-{number}");
                    let board = &board;
                    async move {
                        board.add("all", &member, 1).await.expect("an answer");
                    }
                })
            }),
        ),
        (
            "ZINCRBY",
            Box::new(|| {
                each(runtime, |number| {
                    let mut raw = raw.clone();
                    async move {
                        let mut add = redis::cmd("ZINCRBY");
                        add.arg("{by-hand}all")
                            .arg(1)
                            .arg(format!("member-{number}"));
                        let _: f64 = add.query_async(&mut raw).await.expect("an answer");
                    }
                })
            }),
        ),
        Bar::None,
    )
    .with_note("ours has a cap, a TTL and exact numbers")
}

/// After [`score`] has filled both boards.
fn top(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let board = Leaderboard::new(store.clone(), "bench", DAY).expect("a board");
    compare(
        "Redis, the first ten, 1 task",
        15,
        (
            "Leaderboard",
            Box::new(|| {
                each(runtime, |_| async {
                    let rows = board.top("all", 10).await.expect("an answer");
                    assert_eq!(rows.len(), 10);
                })
            }),
        ),
        (
            "ZREVRANGE WITHSCORES",
            Box::new(|| {
                each(runtime, |_| {
                    let mut raw = raw.clone();
                    async move {
                        let mut range = redis::cmd("ZREVRANGE");
                        range.arg("{by-hand}all").arg(0).arg(9).arg("WITHSCORES");
                        let rows: Vec<(String, f64)> =
                            range.query_async(&mut raw).await.expect("an answer");
                        assert_eq!(rows.len(), 10);
                    }
                })
            }),
        ),
        Bar::None,
    )
    .with_note("ours has ranks")
}

fn around(runtime: &Runtime) -> Row {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let board = Leaderboard::new(store, "bench", DAY).expect("a board");
    let board = board.with_max_members(MEMBERS);
    let mut walked = BTreeSet::new();
    runtime.block_on(async {
        for number in 0..MEMBERS {
            let score = score_of(number);
            let member = format!("member-{number}");
            board.set("all", &member, score).await.expect("an answer");
            walked.insert((-score, member));
        }
    });
    let mut rng = fastrand::Rng::with_seed(7);
    let members: Vec<_> = (0..OPERATIONS).map(|_| rng.u32(..MEMBERS)).collect();
    compare(
        "in process, around one of a million members, two rows each side",
        15,
        (
            "Leaderboard",
            Box::new(|| {
                each(runtime, |number| {
                    let member = format!("member-{}", members[number]);
                    let board = &board;
                    async move {
                        let rows = board.around("all", &member, 2).await.expect("an answer");
                        std::hint::black_box(rows);
                    }
                })
            }),
        ),
        (
            "a BTreeSet, without a rank",
            Box::new(|| {
                each(runtime, |number| {
                    let member = format!("member-{}", members[number]);
                    let place = (-score_of(members[number]), member);
                    let after = walked.range(&place..).take(3).cloned();
                    let rows: Vec<_> = after
                        .chain(walked.range(..&place).rev().take(2).cloned())
                        .collect();
                    std::hint::black_box(rows);
                    async {}
                })
            }),
        ),
        Bar::NanosAtMost(2_000.0),
    )
    .with_note("ours knows the rank, which a BTreeSet finds by a walk of milliseconds")
}

fn score_of(number: u32) -> i64 {
    // In another order than the names.
    i64::from(number) * 7_919 % i64::from(MEMBERS)
}
