use std::io::{self, BufRead, BufReader, Write};
use std::process::Child;
use std::time::Duration;

use larder_test::server::RedisServer;

use super::contender::Contender;
use super::shared::{Shared, Trouble};
use super::worker::{Done, PROCESSES, Work};
use crate::leases::start;

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "consistency-worker";

/// The first word of the line that counts lost messages.
const LOST: &str = "lost";

/// The settings of a run of three processes.
pub(crate) struct Run {
    pub(crate) contender: Contender,
    pub(crate) trouble: Trouble,
    pub(crate) time: Duration,
    pub(crate) loss: u8,
    pub(crate) seed: u64,
}

/// Runs processes that share a cache, makes trouble meanwhile, and returns what all of them did.
pub(crate) fn in_processes(shared: &Shared, run: &Run) -> Done {
    shared.empty();
    // Each run has its own, because its versions begin again.
    let source = RedisServer::start().expect("a redis-server");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let work = Work {
                process,
                contender: run.contender,
                url: shared.url_for(process),
                source: source.url(),
                time: run.time,
                loss: run.loss,
                seed: run.seed << 8 | u64::from(process),
            };
            // Its output is read at once, otherwise it would wait for room in the pipe.
            let worker = spawn(&work);
            std::thread::spawn(|| read(worker))
        })
        .collect();
    shared.disturb(run.trouble, run.time, run.seed);
    let mut all = Done::default();
    for worker in workers {
        let done = worker.join().expect("a process that works");
        all.history.extend(done.history);
        all.lost += done.lost;
    }
    all
}

fn spawn(work: &Work) -> Child {
    let arguments = [
        work.process.to_string(),
        work.contender.to_string(),
        work.url.clone(),
        work.source.clone(),
        work.time.as_millis().to_string(),
        work.loss.to_string(),
        work.seed.to_string(),
    ];
    start(WORKER, &arguments)
}

fn read(mut worker: Child) -> Done {
    let mut done = Done::default();
    let lines = BufReader::new(worker.stdout.take().expect("its output")).lines();
    for line in lines {
        let line = line.expect("a line");
        match line.strip_prefix(LOST) {
            Some(count) => done.lost = count.trim().parse().expect("a number"),
            None => done.history.push(line.parse().expect("an event")),
        }
    }
    let ended = worker.wait().expect("its end");
    assert!(ended.success(), "a process failed: {ended}");
    done
}

/// Is one of the processes: prints what its tasks saw and did.
///
/// # Errors
/// If the arguments are not those of [`WORKER`], or nobody reads what is printed.
pub fn be_a_worker(arguments: &[String]) -> io::Result<()> {
    let work = parse(arguments).ok_or_else(|| io::Error::other("not the arguments of a worker"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(work.run());
    let mut out = io::BufWriter::new(io::stdout().lock());
    for event in &done.history {
        writeln!(out, "{event}")?;
    }
    writeln!(out, "{LOST} {}", done.lost)?;
    out.flush()
}

fn parse(arguments: &[String]) -> Option<Work> {
    let [process, contender, url, source, millis, loss, seed] = arguments else {
        return None;
    };
    Some(Work {
        process: process.parse().ok()?,
        contender: contender.parse().ok()?,
        url: url.clone(),
        source: source.clone(),
        time: Duration::from_millis(millis.parse().ok()?),
        loss: loss.parse().ok()?,
        seed: seed.parse().ok()?,
    })
}
