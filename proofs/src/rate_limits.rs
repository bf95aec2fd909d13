//! Rate limits: exactly N of M callers of several processes pass, and what a visitor costs.

use std::fmt::Write;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{Policy, Quota, RateLimiter, Rule, Tat, Usage, Window};
use larder_redis::RedisStore;
use larder_store::Store;
use larder_store::program::Record;
use larder_test::server::RedisServer;
use tokio::task::JoinSet;

use crate::{Limits, Table};

/// What a process is called with, to ask in its turn: the algorithm and the URL follow.
pub const WORKER: &str = "rate-limit-worker";

const PROCESSES: usize = 4;
const TASKS: usize = 16;

/// The requests of each task, so that in all there are 3.2 times as many as may pass.
const REQUESTS: usize = 50;

/// How many may pass: the most that a log and permits count.
const LIMIT: u32 = 1_000;

/// Visitors of the rows that measure bytes, unless `--inputs` says otherwise.
const VISITORS: u64 = 100_000;

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
        .measured("bytes a visitor on Redis")
        .measured("visitors in process")
        .measured("records in process");
    let visitors = limits.inputs.unwrap_or(VISITORS);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, policy) in algorithms() {
        let server = RedisServer::start().expect("a server");
        let passed = passed_among_processes(name, &server.url());
        let bytes = runtime.block_on(bytes_on_redis(&server, policy.clone(), visitors));
        let records = runtime.block_on(records_in_process(policy, ROOM + visitors));
        table.row([
            name.to_owned(),
            (PROCESSES * TASKS * REQUESTS).to_string(),
            LIMIT.to_string(),
            passed.to_string(),
            bytes.to_string(),
            (ROOM + visitors).to_string(),
            records.to_string(),
        ]);
        table.bar(passed == LIMIT as usize, || {
            format!("{name}: {passed} passed")
        });
        // Those that share a quota have a partition beside it.
        table.bar(
            records <= ROOM + u64::from(RateLimiter::SHARED_QUOTAS),
            || format!("{name}: {records} records in process"),
        );
    }
    table
}

/// Starts the processes, and returns how many of their requests passed.
///
/// # Panics
/// If a process fails.
#[must_use]
pub fn passed_among_processes(algorithm: &str, url: &str) -> usize {
    let itself = std::env::current_exe().expect("the path of this program");
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut command = Command::new(&itself);
            let command = command
                .args([WORKER, algorithm, url])
                .stdout(Stdio::piped());
            command.spawn().expect("a process")
        })
        .collect();
    let passed = children.into_iter().map(|child| {
        let output = child.wait_with_output().expect("its output");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse::<usize>().expect("a number")
    });
    passed.sum()
}

/// One of the processes: prints how many of its requests passed.
///
/// # Errors
/// If there is no runtime.
pub fn be_a_worker(algorithm: &str, url: &str) -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let passed = runtime.block_on(work(algorithm, url));
    let mut line = String::new();
    let _ = write!(line, "{passed}");
    io::Write::write_all(&mut io::stdout(), line.as_bytes())
}

async fn work(algorithm: &str, url: &str) -> usize {
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
    const AT_ONCE: u64 = 64;
    let limiter = limiter(patient(&server.url()).await, policy);
    let before = used_memory(server);
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            for visitor in (task..visitors).step_by(AT_ONCE as usize) {
                assert!(ask(&limiter, 1 + visitor).await);
            }
        });
    }
    tasks.join_all().await;
    used_memory(server).saturating_sub(before) / visitors
}

fn used_memory(server: &RedisServer) -> u64 {
    let reply = server
        .command(&["INFO", "memory"])
        .expect("the server answers");
    let text = reply.text().expect("text").into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.trim().parse().ok())
        .expect("its memory")
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
