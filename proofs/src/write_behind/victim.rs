//! A worker that can be killed: a process by SIGKILL, or for a short form a runtime of this one.

use std::io::{self, BufRead, BufReader, Write};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};

use super::checker::Acknowledged;
use super::round::Source;
use super::{WORKER, worker::Work};
use crate::leases::start;

/// A worker that can be killed.
pub trait Victim {
    /// Kills it, and returns what it had acknowledged.
    fn kill(self: Box<Self>) -> Vec<Acknowledged>;
}

/// A process that is killed by SIGKILL.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Reads what it prints, which outlives it in the pipe.
    reader: Option<JoinHandle<Vec<Acknowledged>>>,
}

impl Process {
    /// Starts it.
    #[must_use]
    pub fn start(work: Work) -> Box<dyn Victim> {
        let arguments = [
            work.process.to_string(),
            work.round.to_string(),
            work.acknowledges.to_string(),
            work.journal,
            work.source.address.to_string(),
        ];
        let mut child = start(WORKER, &arguments);
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let reader = std::thread::spawn(|| {
            lines
                .map(|line| parse_line(&line.expect("a line")).expect("an acknowledgement"))
                .collect()
        });
        let reader = Some(reader);
        Box::new(Self { child, reader })
    }
}

/// It works until it is killed, so a round that fails must not leave it behind.
impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Victim for Process {
    fn kill(mut self: Box<Self>) -> Vec<Acknowledged> {
        self.child.kill().expect("SIGKILL");
        let ended = self.child.wait().expect("its end");
        assert_eq!(ended.code(), None, "it had ended before: {ended}");
        let reader = self.reader.take().expect("it is killed once");
        reader.join().expect("what it printed")
    }
}

/// A runtime of this process that is shut down.
#[derive(Debug)]
pub struct Tasks {
    runtime: Runtime,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
}

impl Tasks {
    /// Starts it.
    #[must_use]
    pub fn start(work: Work) -> Box<dyn Victim> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let acknowledged = Arc::<Mutex<Vec<_>>>::default();
        let told = acknowledged.clone();
        runtime.spawn(work.run(move |one| {
            told.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(one);
        }));
        Box::new(Self {
            runtime,
            acknowledged,
        })
    }
}

impl Victim for Tasks {
    fn kill(self: Box<Self>) -> Vec<Acknowledged> {
        self.runtime.shutdown_background();
        let acknowledged = self.acknowledged.lock();
        acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One of the processes: prints each acknowledgement at once.
///
/// # Errors
/// If the arguments are not those of [`WORKER`], or there is no runtime.
pub fn be_a_worker(arguments: &[String]) -> io::Result<()> {
    let work = parse(arguments).ok_or_else(|| io::Error::other("not the arguments of a worker"))?;
    let runtime = Runtime::new()?;
    runtime.block_on(work.run(|one| {
        // A line is one write, which a kill does not cut.
        let _ = io::stdout().write_all(format!("{} {}\n", one.key, one.write).as_bytes());
    }));
    Ok(())
}

fn parse(arguments: &[String]) -> Option<Work> {
    let [process, round, acknowledges, journal, source] = arguments else {
        return None;
    };
    Some(Work {
        process: process.parse().ok()?,
        round: round.parse().ok()?,
        acknowledges: acknowledges.parse().ok()?,
        journal: journal.clone(),
        source: Source {
            address: source.parse().ok()?,
        },
    })
}

fn parse_line(line: &str) -> Option<Acknowledged> {
    let (key, write) = line.split_once(' ')?;
    Some(Acknowledged {
        key: key.parse().ok()?,
        write: write.parse().ok()?,
    })
}
