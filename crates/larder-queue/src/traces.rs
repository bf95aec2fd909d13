//! Holds the Lua of each program of a queue against its Rust, and plants faults in the Lua that must be seen.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Program, Programs, Script};
use larder_store::wait::Waits;
use larder_store::{Key, ManualClock, Store, Timestamp, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{Observed, Pair, Step, Traces, step};

use crate::new_job::Due;
use crate::record::{
    Band, Cancel, Count, Decision, Dequeue, Enqueue, Item, List, Mode, Operation, Pause, Position,
    Purge, QueueRecord, Redrive, Settings, Settle,
};

const SEEDS: u64 = 10;
const STEPS: usize = 400;

const SECOND: i64 = 1_000_000;

/// The settings of one trace, which all of its steps share, as all users of a queue do.
fn settings(rng: &mut Rng) -> Settings {
    let per_group = [0, 0, 1, 2][rng.usize(..4)];
    Settings {
        ttl: Ttl::from_millis([40_000, 3_600_000, 3_600_000][rng.usize(..3)]),
        lease: Ttl::from_millis(5_000),
        max_attempts: rng.u32(1..4),
        max_jobs: [4, 30, 30][rng.usize(..3)],
        max_running: [0, 0, 2][rng.usize(..3)],
        max_per_group: per_group,
        keeps_order: per_group == 1 && rng.bool(),
        rate_interval: [0, 0, SECOND + 1][rng.usize(..3)],
        rate_burst: 3,
        retention: [0, 4 * SECOND, 4 * SECOND][rng.usize(..3)],
        max_done: [1, 2, 100][rng.usize(..3)],
        max_dead: [1, 2, 100][rng.usize(..3)],
    }
}

fn next_of(settings: Settings) -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    move |rng| draw(rng, settings)
}

/// Draws the settings with the first step, so that a seed draws its own.
fn next() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let mut of = None;
    move |rng| {
        let settings = *of.get_or_insert_with(|| settings(rng));
        draw(rng, settings)
    }
}

fn draw(rng: &mut Rng, settings: Settings) -> Box<dyn Step> {
    match rng.u8(..24) {
        0..8 => enqueue(rng, settings),
        8..13 => {
            let many = rng.u32(1..4);
            let ttl = settings.ttl.as_micros();
            step(Dequeue { settings, many }, move |taken, now| {
                let next = taken.next_in.map(|micros| now.plus_micros(micros));
                let ends = (!taken.jobs.is_empty()).then_some(taken.lease_ends);
                let record = Some(now.plus_micros(ttl));
                next.into_iter().chain(ends).chain(record).collect()
            })
        }
        13..19 => Box::new(OnLeased {
            settings,
            decisions: (0..rng.usize(1..3)).map(|_| decision(rng)).collect(),
        }),
        19 => plain(Cancel {
            settings,
            id: id(rng),
        }),
        20 => match rng.u8(..4) {
            0 => plain(Purge {
                settings,
                band: band(rng),
                many: rng.u32(1..4),
            }),
            1 => plain(Redrive {
                settings,
                many: rng.u32(1..3),
            }),
            2 => plain(Pause {
                settings,
                is_paused: true,
            }),
            _ => plain(Redrive { settings, many: 9 }),
        },
        21 => plain(Pause {
            settings,
            is_paused: false,
        }),
        22 => plain(Count),
        _ => Box::new(Pages {
            band: band(rng),
            many: rng.u32(1..4),
        }),
    }
}

fn plain<P>(program: P) -> Box<dyn Step>
where
    P: Program + std::fmt::Debug + 'static,
    P::Reply: std::fmt::Debug,
{
    step(program, |_, _| Vec::new())
}

fn enqueue(rng: &mut Rng, settings: Settings) -> Box<dyn Step> {
    let items: Vec<_> = (0..rng.usize(1..4)).map(|_| item(rng)).collect();
    let mut spans = vec![settings.ttl.as_micros()];
    let mut times = Vec::new();
    for item in &items {
        match item.due {
            Due::In(micros) => spans.push(micros),
            Due::At(micros) => times.push(Timestamp::from_micros(micros)),
        }
        spans.push(item.unique_for);
    }
    step(Enqueue { settings, items }, move |_, now| {
        let spans = spans.iter().map(|span| now.plus_micros(*span));
        spans.chain(times.iter().copied()).collect()
    })
}

fn item(rng: &mut Rng) -> Item {
    let modes = [
        Mode::None,
        Mode::None,
        Mode::UntilDone,
        Mode::UntilStarted,
        Mode::UntilTtl,
    ];
    let mode = modes[rng.usize(..5)];
    let due = match rng.u8(..8) {
        0..4 => Due::In(0),
        4 => Due::At(5),
        5 => Due::At(1_767_225_600 * SECOND + rng.i64(0..500) * SECOND),
        _ => Due::In([1, 1_500_001, 3 * SECOND][rng.usize(..3)]),
    };
    Item {
        id: id(rng),
        due,
        class: rng.u8(..4),
        mode,
        unique_for: [1, 2 * SECOND, 9 * SECOND][rng.usize(..3)],
        replaces: mode == Mode::UntilStarted && rng.bool(),
        key: (mode != Mode::None).then(|| ["k", "kk", "l"][rng.usize(..3)].into()),
        group: [None, None, Some("g"), Some("g\u{1}"), Some("h")][rng.usize(..5)].map(Arc::from),
        body: rng.u8(..).to_string().into_bytes().into(),
    }
}

fn id(rng: &mut Rng) -> Arc<str> {
    format!("j{}", rng.u8(..24)).into()
}

fn band(rng: &mut Rng) -> Band {
    let bands = [
        Band::Ready,
        Band::InGroup,
        Band::Scheduled,
        Band::Leased,
        Band::Dead,
        Band::Done,
    ];
    bands[rng.usize(..bands.len())]
}

/// A decision about the `nth` job that is leased.
#[derive(Clone, Debug)]
struct Drawn {
    nth: usize,
    /// Whether the fence is older than that of the lease.
    is_stale: bool,
    operation: Operation,
    micros: i64,
}

fn decision(rng: &mut Rng) -> Drawn {
    let operations = [
        Operation::Ack,
        Operation::Ack,
        Operation::Nack,
        Operation::Nack,
        Operation::Reject,
        Operation::Release,
        Operation::Extend,
    ];
    let operation = operations[rng.usize(..operations.len())];
    Drawn {
        nth: rng.usize(..3),
        is_stale: rng.u8(..6) == 0,
        operation,
        micros: match operation {
            Operation::Extend => [1, 7 * SECOND][rng.usize(..2)],
            _ => [0, 0, 1, 2 * SECOND][rng.usize(..4)],
        },
    }
}

/// Settles jobs that the record shows as leased; or others, whose leases were never given.
struct OnLeased {
    settings: Settings,
    decisions: Vec<Drawn>,
}

#[async_trait]
impl Step for OnLeased {
    fn name(&self) -> &str {
        "settle"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let list = List {
            band: Band::Leased,
            from: Position::default(),
            many: 9,
        };
        let leased = match programs.run(key, &list).await {
            Ok(listed) => listed.rows,
            Err(error) => return failed(&error),
        };
        let decisions = self.decisions.iter().map(|drawn| {
            let row = leased.get(drawn.nth);
            let fence = row
                .and_then(|row| row.held.as_ref())
                .map_or(7, |held| held.fence);
            Decision {
                id: row.map_or("j1".into(), |row| row.id.clone()),
                fence: fence - i64::from(drawn.is_stale),
                operation: drawn.operation,
                micros: drawn.micros,
                reason: "because".into(),
            }
        });
        let settle = Settle {
            settings: self.settings,
            decisions: decisions.collect(),
        };
        let spans: Vec<_> = self.decisions.iter().map(|drawn| drawn.micros).collect();
        let retention = self.settings.retention;
        let settle = step(settle, move |_, now| {
            let spans = spans.iter().chain([&retention]);
            spans.map(|span| now.plus_micros(*span)).collect()
        });
        settle.run(programs, key, now).await
    }
}

/// Lists a band page by page.
struct Pages {
    band: Band,
    many: u32,
}

#[async_trait]
impl Step for Pages {
    fn name(&self) -> &str {
        "list"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, _: Timestamp) -> Observed {
        let mut shown = format!("{:?}", self.band);
        let mut from = Position::default();
        for _ in 0..64 {
            let list = List {
                band: self.band,
                from,
                many: self.many,
            };
            let listed = match programs.run(key, &list).await {
                Ok(listed) => listed,
                Err(error) => return failed(&error),
            };
            shown += &format!(" {listed:?}");
            match listed.next {
                Some(next) => from = next,
                None => break,
            }
        }
        Observed {
            shown,
            deadlines: Vec::new(),
        }
    }
}

/// What a planted fault may cause.
fn failed(error: &larder_store::Error) -> Observed {
    Observed {
        shown: format!("{:?}", error.kind()),
        deadlines: Vec::new(),
    }
}

pub(crate) async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust = MokaStore::builder().with_clock(clock.clone()).build();
    Pair::new(clock.clone(), rust, lua(server, clock).await)
}

async fn lua(server: &RedisServer, clock: ManualClock) -> RedisStore {
    RedisStore::builder(&server.url())
        .with_virtual_time(clock)
        .with_timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap()
}

fn traces(server: &RedisServer) -> Traces<impl AsyncFn() -> Pair + '_> {
    Traces::new(SEEDS, STEPS, async || pair(server).await)
}

#[tokio::test]
async fn the_programs_on_a_queue_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    traces(&server).agree::<QueueRecord, _>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_queue_is_caught() {
    const ADD: &Script = Enqueue::SCRIPT;
    const TAKE: &Script = Dequeue::SCRIPT;
    const SETTLE: &Script = Settle::SCRIPT;
    let server = RedisServer::start().unwrap();
    let faults = [
        // The transitions, which all of them share.
        (TAKE, "kl + 1, kl + gl)", "kl + 1, kl + gl + 1)"),
        (
            TAKE,
            "busy(g) >= per_group then\n    redis",
            "busy(g) > per_group then\n    redis",
        ),
        (TAKE, "'(w' .. g .. '\\1'", "'(x'"),
        (
            TAKE,
            "math.floor((tonumber(rank) - FLOOR) / CLASS) ~= class",
            "false",
        ),
        (
            ADD,
            "j.c .. string.format('%016.0f', j.s) .. id",
            "j.c .. num(j.s) .. id",
        ),
        (ADD, "class * CLASS + seq), token", "class * CLASS), token"),
        (
            TAKE,
            "redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\\0' .. id)\n  redis",
            "redis",
        ),
        (TAKE, "if j.s == 0 then", "if true then"),
        (SETTLE, "and j.s > 0 and not keeps_order", "and j.s > 0"),
        (
            SETTLE,
            "redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\\0' .. id, waiting(id, j))",
            "",
        ),
        (
            SETTLE,
            "if j.u == 'd' or j.u == 's' then",
            "if j.u == 's' then",
        ),
        (
            SETTLE,
            "redis.call('HGET', KEYS[7], j.k) == id then",
            "true then",
        ),
        (SETTLE, "- tonumber(ARGV[12]), 16)", ", 16)"),
        (SETTLE, "ends < needed - math.floor(span / 16)", "ends < at"),
        (SETTLE, "if all or made[i] then", "if all then"),
        // Adding.
        (
            ADD,
            "if redis.call('HEXISTS', KEYS[2], id) == 1 then",
            "if false then",
        ),
        (
            ADD,
            "if known and tonumber(known) > at then",
            "if known and tonumber(known) >= at then",
        ),
        (
            ADD,
            "if known and tonumber(known) > at then",
            "if false then",
        ),
        (ADD, "if ARGV[i + 1] == '+' then due = at + due end", ""),
        (ADD, "LEASED - 1), at)", "LEASED - 1), 0)"),
        (ADD, "tonumber(key_ends) <= at)", "tonumber(key_ends) < at)"),
        (ADD, "ARGV[i + 6] == '1' and load(other)", "load(other)"),
        (ADD, "j.s == 0 and rank >= 0", "rank >= 0"),
        (ADD, "if live >= most or", "if live > most or"),
        (
            ADD,
            "key ~= '' and redis.call('HLEN', KEYS[7]) >= most",
            "false",
        ),
        (ADD, "if due > at then hide", "if due >= at then hide"),
        (ADD, "redis.call('ZREM', KEYS[8], key)\n", "\n"),
        // Taking.
        (
            TAKE,
            "num(LEASED + at), 'LIMIT'",
            "'(' .. num(LEASED + at), 'LIMIT'",
        ),
        (
            TAKE,
            "KEYS[3], 0, num(at), 'LIMIT'",
            "KEYS[3], 0, '(' .. num(at), 'LIMIT'",
        ),
        (
            TAKE,
            "if j.a >= max_attempts then\n      bury",
            "if j.a > max_attempts then\n      bury",
        ),
        (TAKE, "    j.d = at\n", ""),
        (TAKE, "or meta[4] == '1'", ""),
        (TAKE, "max_running - redis", "max_running + 1 - redis"),
        (
            TAKE,
            "at + burst * interval - tat",
            "at + burst * interval - tat - 1",
        ),
        (TAKE, "if spare <= 0 then next_at", "if false then next_at"),
        (TAKE, "math.max(tonumber(meta[5] or 0), at)", "at"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = at"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = fence + 1"),
        (TAKE, "j.f, j.a = fence, j.a + 1", "j.f = fence"),
        (TAKE, "if j.u == 's' then free_key(id, j) end", ""),
        (
            TAKE,
            "redis.call('ZADD', KEYS[4], 0, 'b'",
            "redis.call('ZREM', KEYS[4], 'b'",
        ),
        (TAKE, "        offer(g)\n", ""),
        (TAKE, "redis.call('ZREM', KEYS[3], member)\n", "\n"),
        (TAKE, "      made[3] = true\n", ""),
        (TAKE, "num(tat + taken * interval)", "num(tat + interval)"),
        // Settling.
        (
            SETTLE,
            "tonumber(known) > at and 2",
            "tonumber(known) >= at and 2",
        ),
        (SETTLE, "num(j.f) ~= of_fence or", ""),
        (SETTLE, "or tonumber(rank) < LEASED", ""),
        (SETTLE, "    forget(id)\n", ""),
        (SETTLE, "num(LEASED + at + micros)", "num(LEASED + micros)"),
        (
            SETTLE,
            "op == 'n' and j.a >= max_attempts",
            "op == 'n' and j.a > max_attempts",
        ),
        (
            SETTLE,
            "if op == 'r' then j.a = j.a - 1 else",
            "if false then else",
        ),
        (SETTLE, "if micros == 0 then place", "if false then place"),
        (
            SETTLE,
            "'-inf', num(at), 'LIMIT'",
            "'-inf', '(' .. num(at), 'LIMIT'",
        ),
        (
            SETTLE,
            "redis.call('ZREMRANGEBYRANK', KEYS[6], 0, over - 1)",
            "",
        ),
        // The rest.
        (Cancel::SCRIPT, "redis.call('ZREM', KEYS[5], id)\n", "\n"),
        (Cancel::SCRIPT, "running and 1 or 0", "0"),
        (Redrive::SCRIPT, "j.a, j.s, j.d", "j.a, j.e, j.d"),
        (Redrive::SCRIPT, "'-', ''", "j.u, j.k"),
        (Purge::SCRIPT, "+ 18)", "+ 17)"),
        (
            Purge::SCRIPT,
            "if string.byte(id, 1) ~= 0 then",
            "if true then",
        ),
        (
            List::SCRIPT,
            "'LIMIT', num(seen), many)",
            "'LIMIT', 0, many)",
        ),
        (List::SCRIPT, "'[w' or '(' .. after", "'[w' or '[' .. after"),
        (Count::SCRIPT, "math.max(oldest,", "math.min(oldest,"),
        (Pause::SCRIPT, "'paused', ARGV[13]", "'paused', 1"),
    ];
    traces(&server).catch::<QueueRecord, _>(next, &faults).await;
}

/// A queue on which a test sees whether both forms of a program wake.
struct Wakes<'a> {
    lua: Arc<dyn Programs>,
    rust: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    server: &'a RedisServer,
    key: Key,
    clock: ManualClock,
}

impl Wakes<'_> {
    async fn check<P>(&self, program: P, wakes: bool) -> P::Reply
    where
        P: Program<Record = QueueRecord> + std::fmt::Debug,
    {
        let mut waiter = self.waits.wait_for(&self.key).await.unwrap();
        let reply = self.rust.run(&self.key, &program).await.unwrap();
        let no_time = tokio::time::timeout(Duration::ZERO, waiter.next()).await;
        assert_eq!(no_time.is_ok(), wakes, "Rust: {program:?}");

        // A script that wakes, where nobody hears it, forgets that somebody waits.
        let mark = format!("{}:~waiters", self.key.as_str());
        let set = self.server.command(&["SET", &mark, "1", "PX", "60000"]);
        set.unwrap();
        self.lua.run(&self.key, &program).await.unwrap();
        let is_marked = self.server.command(&["EXISTS", &mark]).unwrap().int();
        assert_eq!(is_marked == Some(0), wakes, "Lua: {program:?}");
        reply
    }
}

#[tokio::test]
async fn both_forms_wake_when_a_job_can_be_taken_that_could_not_before() {
    let server = RedisServer::start().unwrap();
    let clock = ManualClock::default();
    let moka = MokaStore::builder().with_clock(clock.clone()).build();
    let moka = Arc::new(moka);
    let on = Wakes {
        lua: Arc::new(lua(&server, clock.clone()).await)
            .programs()
            .unwrap(),
        rust: moka.clone().programs().unwrap(),
        waits: moka.waits().unwrap(),
        server: &server,
        key: Key::new(
            <QueueRecord as larder_store::program::Record>::KIND,
            "wakes",
        ),
        clock,
    };
    let settings = Settings::default();
    let limited = Settings {
        max_running: 1,
        ..settings
    };
    let add = |id: &str, due| Enqueue {
        settings,
        items: vec![Item {
            id: id.into(),
            due: Due::In(due),
            class: 2,
            mode: Mode::None,
            unique_for: 0,
            replaces: false,
            key: None,
            group: None,
            body: "x".into(),
        }],
    };
    let take = |many| Dequeue { settings, many };
    let settle = |settings, id: &str, fence, operation, micros| Settle {
        settings,
        decisions: vec![Decision {
            id: id.into(),
            fence,
            operation,
            micros,
            reason: "".into(),
        }],
    };
    // Only the first job wakes: whoever takes it and leaves others wakes the next.
    on.check(add("a", 0), true).await;
    on.check(add("b", 0), false).await;
    on.check(add("c", 0), false).await;
    let a = on.check(take(1), true).await.jobs[0].fence;
    let b = on.check(take(1), true).await.jobs[0].fence;
    let c = on.check(take(1), false).await.jobs[0].fence;
    on.check(take(1), false).await;
    // What is due before all others has to be known.
    on.check(add("d", 5 * SECOND), true).await;
    on.check(add("e", 9 * SECOND), false).await;
    on.check(settle(settings, "a", a, Operation::Nack, 7 * SECOND), false)
        .await;
    on.check(settle(settings, "b", b, Operation::Nack, SECOND), true)
        .await;
    on.check(settle(settings, "c", c, Operation::Extend, SECOND), false)
        .await;
    on.check(settle(settings, "c", c, Operation::Release, 0), true)
        .await;
    let c = on.check(take(9), false).await.jobs[0].fence;
    on.check(settle(settings, "c", c + 1, Operation::Release, 0), false)
        .await;
    on.check(settle(settings, "c", c, Operation::Ack, 0), false)
        .await;
    // A batch that is full of what has become due leaves the rest to others.
    on.clock.advance_micros(8 * SECOND);
    let first = on.check(take(1), true).await.jobs.remove(0);
    assert_eq!((&*first.id, first.attempt), ("a", 2));
    // The end of one makes room under a limit.
    on.check(settle(limited, "a", first.fence, Operation::Ack, 0), true)
        .await;
    on.check(
        Pause {
            settings,
            is_paused: true,
        },
        false,
    )
    .await;
    on.check(
        Pause {
            settings,
            is_paused: false,
        },
        true,
    )
    .await;
    let _ = on
        .check(
            Cancel {
                settings,
                id: "e".into(),
            },
            false,
        )
        .await;
    on.check(Redrive { settings, many: 3 }, false).await;
}

#[tokio::test]
async fn a_queue_without_limits_is_like_one_with_any_settings() {
    // Settings differ from seed to seed above; here all steps have the plainest.
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(2, STEPS, async || pair(&server).await);
    let plain = || next_of(Settings::default());
    traces.agree::<QueueRecord, _>(plain).await;
}
