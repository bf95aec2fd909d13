//! Structures whose replies are cut: a counter, a ledger and blobs, each beside what people write by hand.

pub mod blob;
pub mod counter;
mod cut;
pub mod ledger;

use std::pin::Pin;

use crate::{Limits, Table};
pub use cut::Progress;

/// How many times a connection is killed, or a reply is cut, in one run.
const KILLS: u32 = 200;

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The structure.
    Structure,
    /// What people write in its place, to show that the checks notice its faults.
    ByHand,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests that were answered.
    pub answered: u64,
    /// Answers that were lost, so that the request may have been carried out.
    pub lost: u64,
    /// What is not as it must be, a line each.
    pub wrong: Vec<String>,
}

type Run = fn(How, u32) -> Pin<Box<dyn Future<Output = Report>>>;

/// The structures, with what each does and what people write by hand in its place.
const RUNS: [([&str; 2], Run); 3] = [
    (
        [
            "a counter adds",
            "by hand: a counter adds again until it is acknowledged",
        ],
        |how, kills| Box::pin(counter::run(how, kills)),
    ),
    (
        [
            "a ledger moves amounts, holds, settles and releases",
            "by hand: one counter is lowered and another raised",
        ],
        |how, kills| Box::pin(ledger::run(how, kills)),
    ),
    (
        [
            "blobs are replaced and read",
            "by hand: chunks are overwritten under their keys, and read",
        ],
        |how, kills| Box::pin(blob::run(how, kills)),
    ),
];

/// Each structure under 200 kills, and what people write in its place.
///
/// `limits.rounds` sets another number of kills.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("what")
        .column("kills")
        .measured("answered")
        .measured("answers lost")
        .measured("wrong")
        .column("verdict");
    let kills = limits.rounds.and_then(|kills| u32::try_from(kills).ok());
    let kills = kills.unwrap_or(KILLS);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (names, run) in RUNS {
        for (name, how) in names.into_iter().zip([How::Structure, How::ByHand]) {
            let report = runtime.block_on(run(how, kills));
            let is_well = report.wrong.is_empty();
            table.row([
                name.to_owned(),
                kills.to_string(),
                report.answered.to_string(),
                report.lost.to_string(),
                report.wrong.len().to_string(),
                match is_well {
                    true => "as it must be".to_owned(),
                    false => "wrong".to_owned(),
                },
            ]);
            let first = report.wrong.first();
            table.bar(is_well == (how == How::Structure), || {
                format!("{name}: {first:?}")
            });
            let answered = u64::from(kills);
            table.bar(report.answered > answered, || {
                format!("{name}: only {} answers", report.answered)
            });
            table.bar(report.lost > 0, || format!("{name}: no answer was lost"));
        }
    }
    table
}
