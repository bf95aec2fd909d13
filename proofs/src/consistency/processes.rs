use std::io;
use std::time::Duration;

use larder_test::server::RedisServer;

use super::contender::Contender;
use super::shared::{Shared, Trouble};
use super::worker::{Done, PROCESSES, Work};
use crate::process::{Worker, be, tell};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "consistency-worker";

/// The settings of a run of three processes.
pub(crate) struct Run {
    pub(crate) contender: Contender,
    pub(crate) trouble: Trouble,
    pub(crate) time: Duration,
    pub(crate) loss: u8,
    pub(crate) seed: u64,
}

/// Runs processes that share a cache, makes trouble meanwhile, and returns what all of them did. It also returns how
/// often they could notice the trouble.
pub(crate) fn in_processes(shared: &Shared, run: &Run) -> (Done, u64) {
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
            Worker::<Done>::start(WORKER, &work)
        })
        .collect();
    let noticed = shared.disturb(run.trouble, run.time, run.seed);
    let mut all = Done::default();
    for done in workers.into_iter().flat_map(Worker::finish) {
        all.history.extend(done.history);
        all.lost += done.lost;
    }
    (all, noticed)
}

/// Is one of the processes: tells what its tasks saw and did.
///
/// # Errors
/// If no runtime starts, or the output is closed.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be(work, async |work: Work| tell(&work.run().await))
}
