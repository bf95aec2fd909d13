//! A worker that can be killed: a process by SIGKILL, or for a short form a runtime of this one.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

use super::checker::Acknowledged;
use super::{WORKER, worker::Work};
use crate::process::{Worker, be, tell};

/// A worker that can be killed.
pub trait Victim {
    /// Kills it, and returns what it had acknowledged.
    fn kill(self: Box<Self>) -> Vec<Acknowledged>;
}

/// A process that is killed by SIGKILL.
#[derive(Debug)]
pub struct Process(Worker<Acknowledged>);

impl Process {
    /// Starts it.
    #[must_use]
    pub fn start(work: Work) -> Box<dyn Victim> {
        Box::new(Self(Worker::start(WORKER, &work)))
    }
}

impl Victim for Process {
    fn kill(mut self: Box<Self>) -> Vec<Acknowledged> {
        self.0.kill()
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

/// One of the processes: tells each acknowledgement at once.
///
/// # Errors
/// If no runtime starts.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be(work, async |work: Work| {
        work.run(|one| {
            let _ = tell(&one);
        })
        .await;
        Ok(())
    })
}
