//! Write-behind and kill -9: no acknowledged write is lost, and each key keeps its order.

pub mod checker;
pub mod round;
pub mod victim;
pub mod worker;

use std::time::{Duration, Instant};

use larder_test::server::{RedisOptions, RedisServer};

use crate::{Limits, Table};
use checker::Findings;
use round::{Servers, play};
use victim::Process;
pub use victim::be_a_worker;
use worker::Acknowledges;

/// How many rounds each row has by default.
const ROUNDS: u64 = 50;

/// How long each row takes at most by default.
const TIME: Duration = Duration::from_secs(300);

/// The argument that makes `prove` one of the worker processes.
pub const WORKER: &str = "write-behind-worker";

/// Two processes that write behind, and are killed in mid-queue, again and again.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("acknowledges a write")
        .measured("rounds")
        .measured("acknowledged")
        .measured("left in the queue at the kill")
        .measured("written to the source")
        .measured("of them again")
        .measured("acknowledged and lost")
        .measured("out of order")
        .column("verdict");
    let rounds = limits.rounds.unwrap_or(ROUNDS);
    for acknowledges in Acknowledges::ALL {
        let mut servers = start();
        let (mut found, mut played) = (Findings::default(), 0);
        let until = Instant::now() + limits.time.unwrap_or(TIME);
        while played < rounds && Instant::now() < until {
            found.add(&play(&mut servers, acknowledges, played, Process::start));
            played += 1;
        }
        row(&mut table, acknowledges, played, &found);
    }
    table
}

/// Starts the server of the journal, which answers only when a write is in its file, and that of the
/// source.
///
/// # Panics
/// If one of them does not start.
#[must_use]
pub fn start() -> Servers {
    let journal = RedisOptions::new()
        .with_setting("appendonly", "yes")
        .with_setting("appendfsync", "always");
    Servers {
        journal: journal.start().expect("a redis-server"),
        source: RedisServer::start().expect("a redis-server"),
    }
}

fn row(table: &mut Table, acknowledges: Acknowledges, rounds: u64, found: &Findings) {
    let name = acknowledges.name();
    let is_kept = found.lost == 0 && found.disordered == 0;
    table.row([
        name.to_owned(),
        rounds.to_string(),
        found.acknowledged.to_string(),
        found.left.to_string(),
        found.written.to_string(),
        found.repeated.to_string(),
        found.lost.to_string(),
        found.disordered.to_string(),
        match is_kept {
            true => "nothing is lost".to_owned(),
            false => "acknowledged writes are lost".to_owned(),
        },
    ]);
    let is_well = match acknowledges {
        Acknowledges::InTheJournal => is_kept,
        // Otherwise the checker finds nothing.
        Acknowledges::BeforeTheJournal => found.lost > 0,
    };
    table.bar(is_well, || format!("{name}: {found:?}"));
    let is_enough = found.acknowledged > 20 * rounds && found.left > rounds;
    table.bar(is_enough, || format!("{name}: only {found:?}"));
}
