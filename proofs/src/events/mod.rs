//! An event log under fire: no acknowledged event is lost for any group, and no stale ack is accepted.

pub mod work;

use std::io;

use crate::queue::checker::{Findings, judge};
use crate::queue::processes::{Role, be};
use crate::queue::{Contender, rounds_of, run};
use crate::{Limits, Table};
use work::{consume, consume_by_loop, produce};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "events-worker";

/// Producers and consumers of two groups in processes, of which one is killed or paused in each round, or the
/// server is.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("acks")
        .measured("rounds")
        .measured("events, for each group")
        .measured("deliveries")
        .measured("of them again")
        .measured("acks accepted")
        .measured("acks refused")
        .column("events lost")
        .measured("stale acks accepted")
        .measured("events acked twice")
        .measured("deliveries miscounted")
        .column("verdict");
    for contender in [Contender::Fenced, Contender::Unfenced] {
        let (history, rounds) = run(WORKER, contender, rounds_of(contender, limits), limits.time);
        row(&mut table, contender, rounds, &judge(&history));
    }
    table
}

fn row(table: &mut Table, contender: Contender, rounds: u64, found: &Findings) {
    let name = match contender {
        Contender::Fenced => "by their consumer and count",
        Contender::Unfenced => "by a plain XACK, to see that it is noticed",
    };
    table.row([
        name.to_owned(),
        rounds.to_string(),
        found.enqueued.to_string(),
        found.taken.to_string(),
        found.taken_again.to_string(),
        found.acked.to_string(),
        found.refused.to_string(),
        found.lost.len().to_string(),
        found.stale.len().to_string(),
        found.acked_twice.len().to_string(),
        found.miscounted.len().to_string(),
        match found.is_clean() {
            true => "as groups allow".to_owned(),
            false => "violated".to_owned(),
        },
    ]);
    let is_well = found.is_clean() == (contender == Contender::Fenced);
    table.bar(is_well, || format!("{name}: {found:?}"));
    let is_enough = found.acked > 100 && found.taken_again > 5;
    table.bar(is_enough, || format!("{name}: only {found:?}"));
}

/// Is one of the processes: prints what it does, until its input is closed and nothing is left to do.
///
/// # Errors
/// If there is no runtime.
pub fn be_a_worker(role: &str, contender: &str, url: &str) -> io::Result<()> {
    be(role, contender, async |role, contender, stop, sink| {
        let seed = u64::from(std::process::id());
        match role {
            Role::Producer => produce(url, seed, stop, sink).await,
            Role::Consumer => consume(url, seed, contender, stop, sink).await,
            Role::Worker => consume_by_loop(url, stop, sink).await,
        }
    })
}
