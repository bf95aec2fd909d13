//! Messages that are lost: a near copy is served for at most the near TTL after an invalidation.

use std::time::Duration;

use crate::consistency::checker::{Findings, judge};
use crate::consistency::contender::{Contender, NEAR_TTL};
use crate::consistency::shared::{Shared, Trouble};
use crate::consistency::worker::Done;
use crate::consistency::{Run, SLACK, in_processes};
use crate::{Limits, Table};

/// How long each row takes by default.
const TIME: Duration = Duration::from_secs(20);

/// What is lost, and how.
const LOSSES: [(&str, u8, Trouble); 7] = [
    ("nothing", 0, Trouble::None),
    ("1 % of the messages", 1, Trouble::None),
    ("10 % of the messages", 10, Trouble::None),
    ("25 % of the messages", 25, Trouble::None),
    ("50 % of the messages", 50, Trouble::None),
    ("all links of a process, cut", 0, Trouble::CutOff),
    ("all links of a process, silent", 0, Trouble::Silence),
];

/// Three processes with both tiers, which do not hear everything.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("what is lost")
        .measured("messages lost")
        .measured("reads")
        .measured("invalidations")
        .measured("stale reads")
        .measured("longest staleness")
        .column("bound")
        .column("verdict");
    for (what, loss, trouble) in LOSSES {
        let shared = Shared::one();
        let run = Run {
            contender: Contender::Tiers,
            trouble,
            time: limits.time.unwrap_or(TIME),
            loss,
            seed: 13,
        };
        let (done, noticed) = in_processes(&shared, &run);
        row(&mut table, what, loss, &done);
        let is_troubled = noticed > 0 || trouble == Trouble::None;
        table.bar(is_troubled, || format!("{what}: no trouble"));
    }
    table
}

fn row(table: &mut Table, what: &str, loss: u8, done: &Done) {
    let found = judge(&done.history);
    let is_within = is_within_bound(&found);
    table.row([
        what.to_owned(),
        done.lost.to_string(),
        found.reads.to_string(),
        found.invalidations.to_string(),
        found.stale.to_string(),
        format!("{} ms", found.longest.as_millis()),
        format!("{} ms", NEAR_TTL.as_millis()),
        match is_within {
            true => "within the bound".to_owned(),
            false => "exceeded".to_owned(),
        },
    ]);
    table.bar(is_within, || format!("{what}: {found:?}"));
    let is_enough = found.reads > 2_000 && found.invalidations > 200;
    table.bar(is_enough, || format!("{what}: only {found:?}"));
    let is_lossy = loss == 0 || (done.lost > 0 && (loss < 50 || found.stale > 0));
    table.bar(is_lossy, || format!("{what}: {} were lost", done.lost));
}

/// Returns whether nobody was served a value for longer than the near TTL after its invalidation.
#[must_use]
pub fn is_within_bound(found: &Findings) -> bool {
    found.invented == 0 && found.stale_at_home == 0 && found.longest <= NEAR_TTL + SLACK
}
