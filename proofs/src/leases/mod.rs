//! Leases under faults: fences rise, and no outdated fence commits.

pub mod checker;
mod contend;
mod event;
pub mod worker;

use std::io;

use crate::Table;
pub use contend::{Crew, break_for};
pub(crate) use contend::{SEED, be_one_of_two, contend, count, in_two_processes, row};
pub(crate) use event::now;
pub use event::{Event, What};
use worker::Commits;

const KEYS: u32 = 10;

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
        let history = in_two_processes(WORKER, &commits);
        let found = checker::violations(&history);
        let name = match commits {
            Commits::Fenced => "by their fence",
            Commits::Unfenced => "by a plain put, to see that it is noticed",
        };
        let granted = count(&history, |what| matches!(what, What::Lead(_)));
        let committed = count(&history, |what| matches!(what, What::Commit(_)));
        let refused = count(&history, |what| matches!(what, What::Refused(_)));
        let lost = count(&history, |what| matches!(what, What::Lost(_)));
        let counts = [granted, committed, refused, lost];
        row(&mut table, name, counts, &found, "as leases allow");
        let is_well = found.is_empty() == (commits == Commits::Fenced);
        table.bar(is_well, || {
            format!("{name}, seed {SEED}: {:?}", found.first())
        });
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

/// One of the processes: prints what its tasks did.
///
/// # Errors
/// If no runtime starts, or the output is closed.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be_one_of_two(work, async |crew, commits| {
        worker::work(crew, KEYS, commits).await
    })
}
