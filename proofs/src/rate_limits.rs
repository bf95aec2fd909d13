//! Rate limits: exactly N of M callers of several processes pass, and what a visitor costs.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larder_moka::MokaStore;
use larder_rate_limit::{Calendar, Policy, Quota, RateLimiter, Rule, Tat, Usage, Window};
use larder_redis::RedisStore;
use larder_store::Store;
use larder_store::program::Record;
use larder_test::server::RedisServer;
use tokio::task::JoinSet;

use crate::process::{Worker, be, tell};
use crate::{Limits, Table};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "rate-limit-worker";

const PROCESSES: usize = 4;
const TASKS: usize = 16;

/// The requests of each task, so that in all there are 3.2 times as many as may pass.
const REQUESTS: usize = 50;

/// How many may pass: the most that a log and permits count.
const LIMIT: u32 = 1_000;

/// Visitors of the rows that measure bytes, unless `--inputs` says otherwise.
const VISITORS: u64 = 1_000_000;

/// Records of one policy in process, by default.
const ROOM: u64 = 100_000;

/// So long that nothing comes back while a row runs.
const LONG: Duration = Duration::from_secs(9 * 365 * 86_400);

/// Each algorithm by its name.
#[must_use]
pub fn algorithms() -> Vec<(&'static str, Policy)> {
    let quota = Quota::new(LIMIT, LONG);
    let bucket = Policy::new(Rule::token_bucket(quota)).with_reservations(LONG);
    vec![
        ("GCRA", quota.into()),
        ("token bucket with reservations", bucket),
        (
            "fixed window, aligned",
            Rule::fixed_window(LIMIT, Window::every(LONG)).into(),
        ),
        (
            "fixed window, from the first request",
            Rule::fixed_window(LIMIT, Window::from_first(LONG)).into(),
        ),
        (
            "fixed window, by the months of a calendar",
            Rule::fixed_window(LIMIT, months().into()).into(),
        ),
        ("sliding window", Rule::sliding_window(LIMIT, LONG).into()),
        ("sliding log", Rule::sliding_log(LIMIT, LONG).into()),
        ("concurrency", Rule::concurrency(LIMIT, LONG).into()),
        (
            "GCRA, sliding window and log",
            Policy::new(Quota::new(4 * LIMIT, LONG))
                .and(Rule::sliding_window(2 * LIMIT, LONG))
                .and(Rule::sliding_log(LIMIT, LONG)),
        ),
    ]
}

/// The longest windows of a calendar. One that ends while its row runs lets more pass.
fn months() -> Calendar {
    Calendar::monthly("Europe/Zurich").expect("a known zone")
}

/// Each algorithm among four processes, and its bytes on a server and in this process.
///
/// `limits.inputs` sets the number of visitors whose bytes are measured.
///
/// # Panics
/// If no server can be started.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("algorithm")
        .column("requests")
        .column("may pass")
        .column("passed")
        .measured("visitors on Redis")
        .measured("bytes a visitor on Redis")
        .measured("visitors in process")
        .measured("records in process");
    let visitors = limits.inputs.unwrap_or(VISITORS);
    for (name, measured) in measure_each(visitors) {
        let Measured {
            passed,
            bytes,
            lasting,
            records,
        } = measured;
        table.row([
            name.to_owned(),
            (PROCESSES * TASKS * REQUESTS).to_string(),
            LIMIT.to_string(),
            passed.to_string(),
            visitors.to_string(),
            bytes.to_string(),
            (ROOM + visitors).to_string(),
            records.to_string(),
        ]);
        table.bar(passed == LIMIT as usize, || {
            format!("{name}: {passed} passed")
        });
        table.bar(lasting == 0, || {
            format!("{name}: {lasting} keys on Redis never end")
        });
        // Those that share a quota have a partition beside it.
        table.bar(
            records <= ROOM + u64::from(RateLimiter::SHARED_QUOTAS),
            || format!("{name}: {records} records in process"),
        );
    }
    table
}

/// What one algorithm has shown.
struct Measured {
    passed: usize,
    /// For each visitor on Redis.
    bytes: u64,
    /// The keys on Redis without an end.
    lasting: u64,
    records: u64,
}

/// Measures the algorithms, each on a server of its own, and several at once: a server has one thread.
fn measure_each(visitors: u64) -> Vec<(&'static str, Measured)> {
    const AT_ONCE: usize = 3;
    let all = algorithms();
    let at_once = all.chunks(AT_ONCE).flat_map(|some| {
        std::thread::scope(|scope| {
            let start = |(name, policy): &(&'static str, Policy)| {
                let (name, policy) = (*name, policy.clone());
                scope.spawn(move || (name, measure(name, policy, visitors)))
            };
            let threads: Vec<_> = some.iter().map(start).collect();
            let done = threads
                .into_iter()
                .map(|it| it.join().expect("it measures"));
            done.collect::<Vec<_>>()
        })
    });
    at_once.collect()
}

fn measure(name: &str, policy: Policy, visitors: u64) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = RedisServer::start().expect("a server");
    let passed = passed_among_processes(name, &server.url());
    let bytes = runtime.block_on(bytes_on_redis(&server, policy.clone(), visitors));
    Measured {
        passed,
        bytes,
        lasting: lasting_keys(&server),
        records: runtime.block_on(records_in_process(policy, ROOM + visitors)),
    }
}

/// Starts the processes, and returns how many of their requests passed.
///
/// # Panics
/// If a process fails.
#[must_use]
pub fn passed_among_processes(algorithm: &str, url: &str) -> usize {
    let workers: Vec<Worker<usize>> = (0..PROCESSES)
        .map(|_| Worker::start(WORKER, &(algorithm, url)))
        .collect();
    workers.into_iter().flat_map(Worker::finish).sum()
}

/// One of the processes: tells how many of its requests passed.
///
/// # Errors
/// If no runtime starts, or the output is closed.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be(work, async |(algorithm, url): (String, String)| {
        tell(&requests_that_pass(&algorithm, &url).await)
    })
}

async fn requests_that_pass(algorithm: &str, url: &str) -> usize {
    let found = algorithms()
        .into_iter()
        .find(|(name, _)| *name == algorithm);
    let (_, policy) = found.expect("one of the algorithms");
    let limiter = limiter(patient(url).await, policy);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let mut passed = 0;
            for _ in 0..REQUESTS {
                passed += usize::from(ask(&limiter, 0).await);
            }
            passed
        });
    }
    tasks.join_all().await.into_iter().sum()
}

/// Asks for one request of a visitor, and keeps its permit.
async fn ask(limiter: &RateLimiter, visitor: u64) -> bool {
    let granted = limiter.acquire(visitor).await.expect("the store answers");
    granted.held().map(std::mem::forget).is_some()
}

fn limiter(store: Arc<dyn Store>, policy: Policy) -> RateLimiter {
    RateLimiter::new(store, "proof", policy).expect("a limiter")
}

async fn patient(url: &str) -> Arc<dyn Store> {
    let long = Duration::from_secs(30);
    let store = RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long);
    Arc::new(store.connect().await.expect("a store"))
}

/// Lets each of many visitors ask once, and returns how many bytes the server took for each.
async fn bytes_on_redis(server: &RedisServer, policy: Policy, visitors: u64) -> u64 {
    const AT_ONCE: u64 = 8;
    const TOGETHER: u64 = 128;
    let limiter = limiter(patient(&server.url()).await, policy);
    let before = used_memory(server);
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let first = (1 + task * TOGETHER..=visitors).step_by((AT_ONCE * TOGETHER) as usize);
            for first in first {
                let those = first..=visitors.min(first + TOGETHER - 1);
                ask_together(&limiter, those).await;
            }
        });
    }
    tasks.join_all().await;
    used_memory(server).saturating_sub(before) / visitors
}

/// Asks for one request of each visitor, all of which pass.
async fn ask_together(limiter: &RateLimiter, visitors: RangeInclusive<u64>) {
    if limiter.has_concurrency() {
        let permits = join_all(visitors.map(|visitor| ask(limiter, visitor))).await;
        return assert!(permits.into_iter().all(|has_passed| has_passed));
    }
    let together = larder_rate_limit::Limits::new();
    let limits = visitors.fold(together, |limits, it| limits.with(limiter, it));
    assert!(
        limits
            .check()
            .await
            .expect("the store answers")
            .is_allowed()
    );
}

fn used_memory(server: &RedisServer) -> u64 {
    info(server, "memory", "used_memory:").expect("its memory")
}

fn lasting_keys(server: &RedisServer) -> u64 {
    let of = |name| info(server, "keyspace", name).unwrap_or(0);
    of("db0:keys=") - of("expires=")
}

/// Returns the number that stands behind `name` in what the server says of itself.
fn info(server: &RedisServer, section: &str, name: &str) -> Option<u64> {
    let reply = server.command(&["INFO", section]);
    let reply = reply.expect("the server answers");
    let text = reply.text().expect("text").into_owned();
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|it: char| !it.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// Lets more visitors ask than there is room for, and returns how many records there are.
async fn records_in_process(policy: Policy, visitors: u64) -> u64 {
    let store = Arc::new(MokaStore::new());
    let limiter = limiter(store.clone(), policy);
    let kind = limiter.key(0_u64).kind();
    assert!(kind == Tat::KIND || kind == Usage::KIND);
    let mut own = 0;
    for visitor in 0..visitors {
        let granted = limiter.acquire(visitor).await.expect("it never fails");
        if let Some(permit) = granted.held() {
            own += u64::from(!permit.decision().is_shared());
            std::mem::forget(permit);
        }
    }
    own
}
