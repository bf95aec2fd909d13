//! What counters and leaderboards cost beside the raw commands, and in process beside plain collections.

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use larder_moka::MokaStore;
use larder_store::program::Record;
use larder_store::{Key, Store, Ttl};
use larder_structures::counter::Counter;
use larder_structures::leaderboard::{BoardRecord, Leaderboard};
use redis::Cmd;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime, store};

const OPERATIONS: usize = 1_000;
const DAY: Ttl = Ttl::from_secs(86_400);
/// The members of the board in process.
const MEMBERS: u32 = 1_000_000;
/// The members of the boards whose bytes are counted.
const WEIGHED: u32 = 10_000;
/// The board that people make by hand.
const BY_HAND: &str = "{by-hand}all";

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let store = runtime.block_on(store(url));
    let raw = runtime.block_on(raw_connection(url));
    let mut rows = vec![
        count(&runtime, &store, &raw),
        score(&runtime, &store, &raw),
        top(&runtime, &store, &raw),
        bytes(&runtime, &store, &raw),
        count_here(&runtime),
    ];
    rows.extend(board_here(&runtime));
    rows
}

fn counter(store: Arc<dyn Store>) -> Counter {
    Counter::new(store, "bench", DAY).expect("a counter")
}

fn board(store: Arc<dyn Store>) -> Leaderboard {
    Leaderboard::new(store, "bench", DAY).expect("a board")
}

/// Runs an operation for each number, one after the other.
fn each<F: Future<Output = ()>>(
    runtime: &Runtime,
    operations: usize,
    mut operation: impl FnMut(usize) -> F,
) -> f64 {
    runtime.block_on(async {
        let started = Instant::now();
        for number in 0..operations {
            operation(number).await;
        }
        per_operation(started.elapsed(), operations)
    })
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

async fn ask<T: redis::FromRedisValue>(raw: &MultiplexedConnection, command: &Cmd) -> T {
    let answer = command.query_async(&mut raw.clone()).await;
    answer.expect("an answer")
}

fn count(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let counter = counter(store.clone());
    let ours = || {
        each(runtime, OPERATIONS, |_| async {
            counter.add("hits", 1).await.expect("an answer");
        })
    };
    let peer = || {
        each(runtime, OPERATIONS, |_| async {
            let _: i64 = ask(raw, &command(&["INCR", "{by-hand}hits"])).await;
        })
    };
    let what = "Redis, a counter adds, 1 task";
    let (ours, peer) = (
        ("Counter", Box::new(ours) as _),
        ("INCR", Box::new(peer) as _),
    );
    compare(what, 15, ours, peer, Bar::None).with_note("ours has bounds and a TTL")
}

fn member(number: usize) -> String {
    format!("member-{number:06}")
}

fn score(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let board = board(store.clone());
    let ours = || {
        each(runtime, OPERATIONS, |number| {
            let board = &board;
            async move {
                let added = board.add("all", &member(number), number as i64).await;
                added.expect("an answer");
            }
        })
    };
    let peer = || {
        each(runtime, OPERATIONS, |number| async move {
            let score = number.to_string();
            let add = command(&["ZADD", BY_HAND, "INCR", &score, &member(number)]);
            let _: f64 = ask(raw, &add).await;
        })
    };
    let what = "Redis, a score is added to, 1 task";
    let ours = ("Leaderboard", Box::new(ours) as _);
    let peer = ("ZADD INCR", Box::new(peer) as _);
    compare(what, 15, ours, peer, Bar::None).with_note("ours has a cap, a TTL and exact numbers")
}

/// After [`score`] has filled both boards.
fn top(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let board = board(store.clone());
    let ours = || {
        each(runtime, OPERATIONS, |_| async {
            let rows = board.top("all", 10).await.expect("an answer");
            assert_eq!(rows.len(), 10);
        })
    };
    let peer = || {
        each(runtime, OPERATIONS, |_| async {
            let range = command(&["ZREVRANGE", BY_HAND, "0", "9", "WITHSCORES"]);
            let rows: Vec<(String, f64)> = ask(raw, &range).await;
            assert_eq!(rows.len(), 10);
        })
    };
    let what = "Redis, the first ten, 1 task";
    let ours = ("Leaderboard", Box::new(ours) as _);
    let peer = ("ZREVRANGE WITHSCORES", Box::new(peer) as _);
    compare(what, 15, ours, peer, Bar::None).with_note("ours has ranks")
}

/// What a board takes on the server for each of its members.
fn bytes(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let plain = board(store.clone());
    let earlier = plain.clone().with_earlier_first();
    let weigh = |key: &str| {
        let usage = command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]);
        let bytes: Option<f64> = runtime.block_on(ask(raw, &usage));
        bytes.expect("the board has this key") / f64::from(WEIGHED)
    };
    runtime.block_on(async {
        for number in 0..WEIGHED as usize {
            let (name, score) = (member(number), number as i64);
            plain.set("weighed", &name, score).await.expect("an answer");
            earlier
                .set("weighed", &name, score)
                .await
                .expect("an answer");
            let add = command(&["ZADD", "{by-hand}weighed", &score.to_string(), &name]);
            let _: i64 = ask(raw, &add).await;
        }
    });
    let key = |layout: &str| Key::new(BoardRecord::KIND, ("bench", (layout, "weighed")));
    let places = key("he");
    let both = weigh(places.as_str()) + weigh(&format!("{}:at", places.as_str()));
    let ours = ("Leaderboard", Box::new(|| weigh(key("h").as_str())) as _);
    let peer = ("ZADD", Box::new(|| weigh("{by-hand}weighed")) as _);
    let what = "Redis, bytes for a member with a name of 13";
    compare(what, 3, ours, peer, Bar::NumberAtMost(120.0))
        .with_note(format!("with the earlier of a tie first: {both:.0}"))
}

fn count_here(runtime: &Runtime) -> Row {
    let counter = counter(Arc::new(MokaStore::new()));
    let plain = Mutex::new(HashMap::<String, i64>::new());
    let many = 10 * OPERATIONS;
    let ours = || {
        each(runtime, many, |_| async {
            black_box(counter.add("hits", 1).await.expect("an answer"));
        })
    };
    let peer = || {
        each(runtime, many, |_| async {
            let mut plain = plain.lock().expect("no panic");
            *plain.entry("hits".to_owned()).or_default() += 1;
        })
    };
    let what = "in process, a counter adds";
    let ours = ("Counter", Box::new(ours) as _);
    let peer = ("Mutex<HashMap<String, i64>>", Box::new(peer) as _);
    compare(what, 15, ours, peer, Bar::None).with_note("ours has bounds, a TTL and a cap")
}

/// A board as people make it of plain collections: it knows no rank but by a walk.
#[derive(Default)]
struct Plain {
    scores: HashMap<String, i64>,
    places: BTreeSet<(i64, String)>,
}

impl Plain {
    fn add(&mut self, member: &str, by: i64) {
        let before = self.scores.get(member).copied();
        let score = before.unwrap_or(0) + by;
        if let Some(before) = before {
            self.places.remove(&(-before, member.to_owned()));
        }
        self.scores.insert(member.to_owned(), score);
        self.places.insert((-score, member.to_owned()));
    }

    fn around(&self, member: &str, radius: usize) -> Vec<(i64, String)> {
        let score = self.scores.get(member).copied().unwrap_or(0);
        let place = (-score, member.to_owned());
        let before = self.places.range(..&place).rev().take(radius);
        let after = self.places.range(&place..).take(radius + 1);
        before.chain(after).cloned().collect()
    }
}

/// On boards of a million members.
fn board_here(runtime: &Runtime) -> [Row; 2] {
    let board = board(Arc::new(MokaStore::new())).with_max_members(MEMBERS);
    let mut plain = Plain::default();
    runtime.block_on(async {
        for number in 0..MEMBERS {
            let (name, score) = (member(number as usize), score_of(number));
            board.set("all", &name, score).await.expect("an answer");
            plain.add(&name, score);
        }
    });
    let mut rng = fastrand::Rng::with_seed(7);
    let names = (0..OPERATIONS).map(|_| member(rng.usize(..MEMBERS as usize)));
    let (names, plain) = (&names.collect::<Vec<_>>(), Mutex::new(plain));

    let ours = || {
        each(runtime, OPERATIONS, |number| {
            let board = &board;
            async move {
                let rows = board.around("all", &names[number], 2).await;
                black_box(rows.expect("an answer"));
            }
        })
    };
    let peer = || {
        each(runtime, OPERATIONS, |number| {
            black_box(plain.lock().expect("no panic").around(&names[number], 2));
            async {}
        })
    };
    let what = "in process, around one of a million members, two rows each side";
    let ours = ("Leaderboard", Box::new(ours) as _);
    let peer = ("HashMap and BTreeSet, without a rank", Box::new(peer) as _);
    let around = compare(what, 15, ours, peer, Bar::NanosAtMost(2_000.0))
        .with_note("ours knows the rank, which a BTreeSet finds by a walk of milliseconds");

    let ours = || {
        each(runtime, OPERATIONS, |number| {
            let board = &board;
            async move {
                let added = board.add("all", &names[number], 1).await;
                black_box(added.expect("an answer"));
            }
        })
    };
    let peer = || {
        each(runtime, OPERATIONS, |number| {
            plain.lock().expect("no panic").add(&names[number], 1);
            async {}
        })
    };
    let what = "in process, a score of one of a million members is added to";
    let ours = ("Leaderboard", Box::new(ours) as _);
    let peer = ("HashMap and BTreeSet", Box::new(peer) as _);
    let add = compare(what, 15, ours, peer, Bar::None);
    [around, add.with_note("ours has ranks, a cap and a TTL")]
}

fn score_of(number: u32) -> i64 {
    // In another order than the names.
    i64::from(number) * 7_919 % i64::from(MEMBERS)
}
