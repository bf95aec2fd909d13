//! An event log under fire: no acknowledged event is lost for any group, and no stale ack is accepted.

pub mod work;

use std::io;

use crate::queue::ledger::{self, Words};
use crate::queue::processes::{Role, be};
use crate::{Limits, Table};
use work::{consume, consume_by_loop, produce};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "events-worker";

/// Producers and consumers of two groups in processes, of which one is killed or paused in each round, or the
/// server is.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let words = Words {
        enqueued: "events, times groups",
        taken: "deliveries",
        lost: "events lost",
        acked_twice: "events acked twice",
        miscounted: "deliveries miscounted",
        fenced: "by their consumer and count",
        unfenced: "by a plain XACK, to see that it is noticed",
        clean: "as groups allow",
    };
    ledger::prove(WORKER, &words, limits)
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
            Role::Worker => consume_by_loop(url, stop, sink).await,
        }
    })
}
