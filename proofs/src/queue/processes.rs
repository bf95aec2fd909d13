//! Producers and workers in processes that are killed and paused.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Contender;
use super::event::Event;
use super::work::{PATIENCE, Sink, Stop, consume, consume_by_worker, produce};
use crate::process::{self, Worker, tell};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "queue-worker";

/// What a process is asked to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) role: Role,
    pub(crate) contender: Contender,
    pub(crate) url: String,
    /// The seed of the run, the number of the member, and 16 bits for its generation: one process is killed, and the
    /// next goes on with its work.
    pub(crate) seed: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Producer,
    /// One that takes jobs and sends acks itself.
    Consumer,
    /// One that leaves both to a `Worker`.
    Worker,
}

/// A process with its work, which another goes on with when it is killed.
pub(crate) struct Member {
    name: &'static str,
    pub(crate) work: Work,
    pub(crate) worker: Worker<Event>,
    /// What the processes did that were killed before it.
    before: Vec<Event>,
}

impl Member {
    /// Starts this program as the worker `name`.
    pub(crate) fn start(name: &'static str, work: Work) -> Self {
        Self {
            name,
            worker: Worker::start(name, &work),
            work,
            before: Vec::new(),
        }
    }

    /// Kills the process, and starts the next generation in its place.
    pub(crate) fn kill(&mut self) {
        self.before.append(&mut self.worker.kill());
        self.work.seed += 1;
        self.worker = Worker::start(self.name, &self.work);
    }

    /// Tells it to stop, waits for its end, and returns what it did.
    pub(crate) fn finish(mut self) -> Vec<Event> {
        self.worker.tell_to_stop();
        self.before.append(&mut self.worker.finish());
        self.before
    }
}

/// Is one of the processes: tells what it does, until its input is closed and nothing is left to do.
///
/// # Errors
/// If no runtime starts.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be(work, async |work, stop, sink| {
        let (url, seed) = (&work.url, work.seed);
        match work.role {
            Role::Producer => produce(url, seed, stop, sink).await,
            Role::Consumer => consume(url, seed, work.contender, stop, sink).await,
            Role::Worker => consume_by_worker(url, stop, sink).await,
        }
    })
}

/// Is one of the processes that does its work by `does`.
pub(crate) fn be(work: &str, does: impl AsyncFnOnce(Work, Stop, Sink)) -> io::Result<()> {
    let stop = Stop::default();
    let told = stop.clone();
    // Also if the process that started it is killed. It then does what is left to do, but does not wait for ever for a
    // server that is gone too.
    process::at_the_end_of_the_input(move || {
        told.tell();
        std::thread::sleep(2 * PATIENCE);
        std::process::exit(1);
    });
    let sink: Sink = Arc::new(|event: Event| {
        let _ = tell(&event);
    });
    process::be_to_the_end(work, async |work| {
        does(work, stop, sink).await;
        Ok(())
    })
}
