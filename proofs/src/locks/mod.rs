//! Locks under fire: one holder at a time, fences that rise, and no write by a stale one.

pub mod checker;
pub mod worker;

use std::io;

use larder_test::server::RedisServer;

use crate::Table;
use crate::leases::{What, break_for, history_of, print, spawn};
use worker::{Writes, work};

const TASKS: u64 = 8;
const PROCESSES: u64 = 2;
const KEYS: u32 = 4;
const TIME: std::time::Duration = std::time::Duration::from_secs(20);

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
        let server = RedisServer::start().expect("a redis-server");
        let workers: Vec<_> = (0..PROCESSES)
            .map(|_| spawn(WORKER, &format!("{writes:?}"), &server.url()))
            .collect();
        break_for(&server, TIME, &mut fastrand::Rng::with_seed(7));
        let history: Vec<_> = workers.into_iter().flat_map(history_of).collect();
        let found = checker::violations(&history);
        let count = |is: fn(What) -> bool| {
            let events = history.iter().filter(|event| is(event.what));
            events.count()
        };
        let name = match writes {
            Writes::Fenced => "with the fence",
            Writes::Plain => "without it, to see that it is noticed",
        };
        let taken = count(|what| matches!(what, What::Lead(_)));
        let released = count(|what| matches!(what, What::Release(_)));
        let refused = count(|what| matches!(what, What::Refused(_)));
        table.row([
            name.to_owned(),
            taken.to_string(),
            released.to_string(),
            count(|what| matches!(what, What::Commit(_))).to_string(),
            refused.to_string(),
            count(|what| matches!(what, What::Lost(_))).to_string(),
            found.len().to_string(),
            match found.is_empty() {
                true => "as locks allow".to_owned(),
                false => "violated".to_owned(),
            },
        ]);
        let is_well = found.is_empty() == (writes == Writes::Fenced);
        table.bar(is_well, || format!("{name}: {:?}", found.first()));
        table.bar(taken > 100, || format!("{name}: only {taken} locks"));
        // Only a lock that is released in time shows that nobody else had it.
        table.bar(released > 50, || {
            format!("{name}: only {released} were released in time")
        });
        let is_tried = refused > 0 || writes == Writes::Plain;
        table.bar(is_tried, || format!("{name}: no write came too late"));
    }
    table
}

/// One of the processes: prints what its tasks did.
///
/// # Errors
/// If there is no runtime, or nobody reads what is printed.
pub fn be_a_worker(writes: &str, url: &str) -> io::Result<()> {
    let writes = match writes {
        "Fenced" => Writes::Fenced,
        _ => Writes::Plain,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    print(&runtime.block_on(work(url, TASKS / PROCESSES, KEYS, TIME, writes)))
}
