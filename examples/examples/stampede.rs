//! A stampede: several processes, each with many callers, request one value that nobody has cached.
//!
//! It needs a Redis that the processes share: `STORE_URL=redis://127.0.0.1:6379`. Each load appends the id of
//! its process to the file that `LOAD_LOG` names.
//!
//! ```text
//! $ cargo run --release -p larder-examples --example stampede -- --processes 3 --callers 100
//! | 3 processes of 100 callers | larder |
//! |---|---|
//! | loads | 1 |
//! | answered | 300 of 300 |
//! | different answers | 1 |
//! | last answer | … ms after the start |
//! $ cargo run --release -p larder-examples --example stampede -- --processes 3 --callers 100 --kill-leader
//! | 3 processes of 100 callers | larder, its first leader killed |
//! |---|---|
//! | loads | 2 |
//! | answered | 200 of 200 |
//! | different answers | 1 |
//! | last answer | … ms after the kill |
//! $ cargo run --release -p larder-examples --example stampede -- --processes 3 --callers 100 --naive
//! | 3 processes of 100 callers | get, load, put |
//! |---|---|
//! | loads | … |
//! | answered | 300 of 300 |
//! | different answers | … |
//! | last answer | … ms after the start |
//! ```

use std::collections::HashSet;
use std::env::{args, current_exe, temp_dir, var, var_os};
use std::error::Error;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio, id};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder::cache::Cache;
use larder::redis::RedisStore;
use larder::store::Put;
use larder::{Key, Kind, Store, Ttl};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const REPORT: Kind = Kind::evictable("report");

/// The time that it takes to make the value.
const QUERY: Duration = Duration::from_millis(300);

/// A process that is killed delays the others by at most this.
const LEASE: Ttl = Ttl::from_secs(1);

/// Longer than the defaults: many processes start at once here, and one that has to wait for a processor
/// would assume that the store is down, and load by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The label of a run with `--naive`.
const NAIVE: &str = "get, load, put";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let url = var("STORE_URL").unwrap_or_default();
    if !url.contains("redis") && !url.contains("valkey") && !url.starts_with("unix:") {
        let wanted = "a Redis that the processes share, such as redis://127.0.0.1:6379";
        return Err(format!("set STORE_URL to {wanted}").into());
    }
    let arguments: Vec<_> = args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", key, callers, name] => {
            Runtime::new()?.block_on(work(&url, key, callers.parse()?, name == NAIVE))
        }
        _ => Stampede::from_arguments(arguments.into_iter())?.run(),
    }
}

/// One of the processes: starts its callers when it is told to, and prints their results.
async fn work(url: &str, key: &str, callers: u64, is_naive: bool) -> Result<()> {
    let store = RedisStore::builder(url).with_timeout(PATIENCE);
    let store: Arc<dyn Store> = Arc::new(store.connect().await?);
    let reports: Cache<String, String> = Cache::builder(REPORT, Ttl::from_secs(60))
        .with_far(store.clone())
        .with_store_timeout(PATIENCE)
        .with_lease(LEASE)
        .build()?;
    writeln!(io::stdout(), "ready")?;
    if io::stdin().lines().next().is_none() {
        // The process that started this one is gone.
        return Ok(());
    }
    let mut calls = JoinSet::new();
    for _ in 0..callers {
        let (reports, store, key) = (reports.clone(), store.clone(), key.to_owned());
        calls.spawn(async move {
            let answer = match is_naive {
                true => naive(&*store, &key).await,
                false => reports.get_or_load(&key, make).await.ok(),
            };
            (answer, now())
        });
    }
    let mut seen = Seen::default();
    for (answer, at) in calls.join_all().await {
        seen.last = seen.last.max(at);
        if let Some(answer) = answer {
            seen.answered += 1;
            seen.different.insert(answer.to_string());
        }
    }
    Ok(writeln!(io::stdout(), "{seen}")?)
}

/// The version that is often written by hand.
async fn naive(store: &dyn Store, key: &str) -> Option<Arc<String>> {
    let key = Key::new(REPORT, ("naive", key));
    if let Ok(Some(entry)) = store.get(&key).await {
        return Some(Arc::new(String::from_utf8(entry.value.to_vec()).ok()?));
    }
    let report = make().await.ok()?;
    let put = Put::new(key, report.clone(), Ttl::from_secs(60));
    // The caller has its answer either way.
    drop(store.put(&put).await);
    Some(Arc::new(report))
}

/// Stands in for a slow query. Each run returns another value.
async fn make() -> io::Result<String> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    if let Some(log) = var_os("LOAD_LOG") {
        // One write appends one whole line, even beside other processes.
        let line = format!("{}\n", id());
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)?
            .write_all(line.as_bytes())?;
    }
    tokio::time::sleep(QUERY).await;
    Ok(format!("report-{run}-of-{}", id()))
}

/// The results of the callers of one process, or of all.
#[derive(Default)]
struct Seen {
    answered: u64,
    /// When the last one was answered, in milliseconds since 1970.
    last: u128,
    different: HashSet<String>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.answered, self.last)?;
        self.different.iter().try_for_each(|it| write!(f, " {it}"))
    }
}

/// Another process of this program.
struct Worker {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Worker {
    fn start(stampede: &Stampede, key: &str, log: &Path) -> Result<Self> {
        let mut child = Command::new(current_exe()?)
            .args(["worker", key, &stampede.callers.to_string()])
            .arg(stampede.name())
            .env("LOAD_LOG", log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let says = BufReader::new(child.stdout.take().ok_or("it has no output")?);
        Ok(Self { child, says })
    }

    fn next_line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.says.read_line(&mut line)? {
            0 => Err("a process ended early: what it says of that is above".into()),
            _ => Ok(line),
        }
    }

    fn go(&mut self) -> Result<()> {
        let stdin = self.child.stdin.as_mut().ok_or("it has no input")?;
        Ok(writeln!(stdin, "go")?)
    }

    /// Adds its results, once it is done.
    fn add_to(&mut self, all: &mut Seen) -> Result<()> {
        let line = self.next_line()?;
        let mut words = line.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (Some(answered), Some(last)) = (number(), number()) else {
            return Err(format!("a process says '{line}'").into());
        };
        all.answered += u64::try_from(answered)?;
        all.last = all.last.max(last);
        all.different.extend(words.map(str::to_owned));
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Stampede {
    processes: u64,
    callers: u64,
    is_naive: bool,
    kills_leader: bool,
}

impl Stampede {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self {
            processes: 10,
            callers: 1_000,
            is_naive: false,
            kills_leader: false,
        };
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next()?.parse().ok().filter(|it| *it > 0);
            match argument.as_str() {
                "--naive" => asked.is_naive = true,
                "--kill-leader" => asked.kills_leader = true,
                "--processes" => asked.processes = number().ok_or("--processes needs a number")?,
                "--callers" => asked.callers = number().ok_or("--callers needs a number")?,
                other => {
                    let known = "--processes N, --callers N, --kill-leader or --naive";
                    return Err(format!("'{other}' is not an option: expected {known}").into());
                }
            }
        }
        Ok(asked)
    }

    fn run(&self) -> Result<()> {
        let scratch = temp_dir().join(format!("stampede-{}.log", id()));
        let log = var_os("LOAD_LOG").map_or(scratch.clone(), PathBuf::from);
        let before = loads_in(&log).len();
        // A key that no earlier run has cached.
        let key = format!("{}-{}", id(), now());
        let start = |_| Worker::start(self, &key, &log);
        let mut workers = (0..self.processes).map(start).collect::<Result<Vec<_>>>()?;
        for worker in &mut workers {
            worker.next_line()?;
        }
        let mut since = now();
        for worker in &mut workers {
            worker.go()?;
        }
        if self.kills_leader {
            let leader = first_load(&log, before)?;
            let is_leader = |worker: &Worker| worker.child.id().to_string() == leader;
            let at = workers.iter().position(is_leader);
            // It is killed when it is dropped.
            drop(workers.swap_remove(at.ok_or("the leader is none of the processes")?));
            since = now();
        }
        let mut all = Seen::default();
        for worker in &mut workers {
            worker.add_to(&mut all)?;
        }
        let loads = loads_in(&log).len() - before;
        drop(fs::remove_file(scratch));
        let asked = workers.len() as u64 * self.callers;
        let event = if self.kills_leader { "kill" } else { "start" };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "| {} processes of {} callers | {} |\n|---|---|",
            self.processes,
            self.callers,
            self.name()
        )?;
        writeln!(out, "| loads | {loads} |")?;
        writeln!(out, "| answered | {} of {asked} |", all.answered)?;
        writeln!(out, "| different answers | {} |", all.different.len())?;
        let took = all.last.saturating_sub(since);
        writeln!(out, "| last answer | {took} ms after the {event} |")?;
        Ok(())
    }

    fn name(&self) -> &'static str {
        match (self.is_naive, self.kills_leader) {
            (true, _) => NAIVE,
            (false, false) => "larder",
            (false, true) => "larder, its first leader killed",
        }
    }
}

/// Returns the processes that loaded, one for each load.
fn loads_in(log: &Path) -> Vec<String> {
    let log = fs::read_to_string(log).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// Waits for the first load of this run.
fn first_load(log: &Path, before: usize) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(leader) = loads_in(log).into_iter().nth(before) {
            return Ok(leader);
        }
        sleep(Duration::from_millis(2));
    }
    Err("nobody loads".into())
}

fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis()
}
