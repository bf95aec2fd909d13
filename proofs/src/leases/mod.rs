//! Leases under faults: fences rise, and no outdated fence commits.

pub mod checker;
mod event;
pub mod worker;

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder_test::server::RedisServer;

use crate::Table;
pub(crate) use event::now;
pub use event::{Event, What};
use worker::{Commits, work};

const TASKS: u64 = 8;
const PROCESSES: u64 = 2;
const KEYS: u32 = 10;
const TIME: Duration = Duration::from_secs(20);

/// The argument that makes `prove` one of the worker processes.
pub const WORKER: &str = "leases-worker";

/// Eight tasks in two processes, with fences and without.
#[must_use]
pub fn prove() -> Table {
    let mut table = Table::new()
        .column("commits")
        .measured("leases granted")
        .measured("committed")
        .measured("refused")
        .measured("answers lost")
        .measured("violations")
        .column("verdict");
    for commits in [Commits::Fenced, Commits::Unfenced] {
        let history = in_two_processes(commits);
        let found = checker::violations(&history);
        let count = |is: fn(What) -> bool| {
            let events = history.iter().filter(|event| is(event.what));
            events.count()
        };
        let name = match commits {
            Commits::Fenced => "by their fence",
            Commits::Unfenced => "by a plain put, to see that it is noticed",
        };
        let granted = count(|what| matches!(what, What::Lead(_)));
        let committed = count(|what| matches!(what, What::Commit(_)));
        let refused = count(|what| matches!(what, What::Refused(_)));
        table.row([
            name.to_owned(),
            granted.to_string(),
            committed.to_string(),
            refused.to_string(),
            count(|what| matches!(what, What::Lost(_))).to_string(),
            found.len().to_string(),
            match found.is_empty() {
                true => "as leases allow".to_owned(),
                false => "violated".to_owned(),
            },
        ]);
        let is_well = found.is_empty() == (commits == Commits::Fenced);
        table.bar(is_well, || format!("{name}: {:?}", found.first()));
        table.bar(granted > 200, || format!("{name}: only {granted} leases"));
        table.bar(committed > 50, || {
            format!("{name}: only {committed} commits")
        });
        // Only commits that come too late show that they are refused.
        let is_tried = refused > 10 || commits == Commits::Unfenced;
        table.bar(is_tried, || format!("{name}: only {refused} were refused"));
    }
    table
}

fn in_two_processes(commits: Commits) -> Vec<Event> {
    let server = RedisServer::start().expect("a redis-server");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|_| spawn(WORKER, &format!("{commits:?}"), &server.url()))
        .collect();
    break_for(&server, TIME, &mut fastrand::Rng::with_seed(7));
    workers.into_iter().flat_map(history_of).collect()
}

/// Freezes the server for a moment, or kills all connections, again and again.
pub fn break_for(server: &RedisServer, time: Duration, random: &mut fastrand::Rng) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(random.u64(100..500)));
        if random.bool() {
            server.stop().expect("SIGSTOP");
            std::thread::sleep(Duration::from_millis(random.u64(20..400)));
            server.cont().expect("SIGCONT");
        } else {
            let killed = server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
            killed.expect("an answer of the server");
        }
    }
}

/// Starts a worker process of this program.
pub(crate) fn spawn(worker: &str, how: &str, url: &str) -> Child {
    start(worker, &[how.to_owned(), url.to_owned()])
}

/// Starts a worker process of this program, with any arguments.
pub(crate) fn start(worker: &str, arguments: &[String]) -> Child {
    let itself = std::env::current_exe().expect("the path of this program");
    Command::new(itself)
        .arg(worker)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process")
}

/// What a worker prints, until it ends.
pub(crate) fn history_of(mut worker: Child) -> Vec<Event> {
    let lines = BufReader::new(worker.stdout.take().expect("its output")).lines();
    let read = |line: io::Result<String>| line.expect("a line").parse();
    let history = lines.map(|line| read(line).expect("an event")).collect();
    let ended = worker.wait().expect("its end");
    assert!(ended.success(), "a worker failed: {ended}");
    history
}

/// One of the processes: prints what its tasks did.
///
/// # Errors
/// If there is no runtime, or nobody reads what is printed.
pub fn be_a_worker(commits: &str, url: &str) -> io::Result<()> {
    let commits = match commits {
        "Fenced" => Commits::Fenced,
        _ => Commits::Unfenced,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    print(&runtime.block_on(work(url, TASKS / PROCESSES, KEYS, TIME, commits)))
}

/// Prints a history, a line for each event.
pub(crate) fn print(history: &[Event]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    history
        .iter()
        .try_for_each(|event| writeln!(out, "{event}"))
}
