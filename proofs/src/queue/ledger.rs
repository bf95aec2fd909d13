//! The table of a crash ledger, with a fence and without it.

use super::checker::{Findings, judge};
use super::{Contender, SEED, rounds_of, run};
use crate::{Limits, Table};

/// The words of a table that depend on what is delivered.
pub(crate) struct Words {
    pub(crate) enqueued: &'static str,
    pub(crate) taken: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) acked_twice: &'static str,
    pub(crate) miscounted: &'static str,
    /// How an ack is sent.
    pub(crate) fenced: &'static str,
    pub(crate) unfenced: &'static str,
    /// The verdict on a history without a fault.
    pub(crate) clean: &'static str,
}

/// Runs the processes that `worker` names with each contender, and judges what they did.
pub(crate) fn prove(worker: &'static str, words: &Words, limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("acks")
        .measured("rounds")
        .measured(words.enqueued)
        .measured(words.taken)
        .measured("of them again")
        .measured("acks accepted")
        .measured("acks refused")
        .column(words.lost)
        .measured("stale acks accepted")
        .measured(words.acked_twice)
        .measured(words.miscounted)
        .column("verdict");
    for contender in [Contender::Fenced, Contender::Unfenced] {
        let (history, rounds) = run(worker, contender, rounds_of(contender, limits), limits.time);
        row(&mut table, contender, words, rounds, &judge(&history));
    }
    table
}

fn row(table: &mut Table, contender: Contender, words: &Words, rounds: u64, found: &Findings) {
    let name = match contender {
        Contender::Fenced => words.fenced,
        Contender::Unfenced => words.unfenced,
    };
    let verdict = match found.is_clean() {
        true => words.clean,
        false => "violated",
    };
    table.row([
        name.to_owned(),
        rounds.to_string(),
        found.enqueued.to_string(),
        found.taken.to_string(),
        found.taken_again.to_string(),
        found.acked.to_string(),
        found.refused.to_string(),
        (found.lost.len() + found.vanished.len()).to_string(),
        found.stale.len().to_string(),
        found.acked_twice.len().to_string(),
        found.miscounted.len().to_string(),
        verdict.to_owned(),
    ]);
    let is_well = found.is_clean() == (contender == Contender::Fenced);
    table.bar(is_well, || format!("{name}, seed {SEED}: {found:?}"));
    let is_enough = found.acked > 100 && found.taken_again > 5;
    table.bar(is_enough, || format!("{name}, seed {SEED}: only {found:?}"));
}
