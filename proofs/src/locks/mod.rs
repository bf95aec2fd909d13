//! Locks under fire: one holder at a time, fences that rise, and no write by a stale one.

pub mod checker;
pub mod worker;

use std::io;

use crate::Table;
use crate::leases::{SEED, What, be_one_of_two, count, in_two_processes, row};
use worker::Writes;

const KEYS: u32 = 4;

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "locks-worker";

/// Eight tasks in two processes that take locks, with fenced writes and with plain ones.
#[must_use]
pub fn prove() -> Table {
    let mut table = Table::new()
        .column("writes")
        .measured("locks taken")
        .measured("released in time")
        .measured("written")
        .measured("refused")
        .measured("answers lost")
        .measured("violations")
        .column("verdict");
    for writes in [Writes::Fenced, Writes::Plain] {
        let history = in_two_processes(WORKER, &writes);
        let found = checker::violations(&history);
        let name = match writes {
            Writes::Fenced => "with the fence",
            Writes::Plain => "without it, to see that it is noticed",
        };
        let taken = count(&history, |what| matches!(what, What::Lead(_)));
        let released = count(&history, |what| matches!(what, What::Release(_)));
        let refused = count(&history, |what| matches!(what, What::Refused(_)));
        let written = count(&history, |what| matches!(what, What::Commit(_)));
        let lost = count(&history, |what| matches!(what, What::Lost(_)));
        let counts = [taken, released, written, refused, lost];
        row(&mut table, name, counts, &found, "as locks allow");
        let is_well = found.is_empty() == (writes == Writes::Fenced);
        table.bar(is_well, || {
            format!("{name}, seed {SEED}: {:?}", found.first())
        });
        // Too few locks prove nothing. A slow machine takes a quarter of what is usual.
        let busy = count(&history, |what| matches!(what, What::Busy));
        let failed = count(&history, |what| matches!(what, What::Failed));
        let attempts =
            format!("{taken} locks were taken, {busy} attempts found theirs busy, {failed} failed");
        table.bar(taken > 50, || format!("{name}: only {attempts}"));
        // Only a lock that is released in time shows that nobody else had it.
        table.bar(released > 20, || {
            format!("{name}: only {released} were released in time; {attempts}")
        });
        let is_tried = refused > 0 || writes == Writes::Plain;
        table.bar(is_tried, || format!("{name}: no write came too late"));
    }
    table
}

/// One of the processes: prints what its tasks did.
///
/// # Errors
/// If no runtime starts, or the output is closed.
pub fn be_a_worker(work: &str) -> io::Result<()> {
    be_one_of_two(work, async |crew, writes| {
        worker::work(crew, KEYS, writes).await
    })
}
