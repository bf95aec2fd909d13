//! Consistency of caches in several processes: no read returns what was invalidated before it.

pub mod checker;
pub mod contender;
mod event;
mod processes;
pub mod shared;
pub mod worker;

use std::time::Duration;

use crate::{Limits, Table};
use checker::{Findings, judge};
use contender::{Contender, NEAR_TTL};
pub use event::{Event, What};
pub(crate) use processes::{Run, in_processes};
pub use processes::{WORKER, be_a_worker};
use shared::{Shared, Trouble};

/// How long each row takes by default.
const TIME: Duration = Duration::from_secs(60);

/// How far the noted times may be from those of the events.
pub(crate) const SLACK: Duration = Duration::from_millis(5);

/// Three processes, with larder's tiers and with what others do.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("cache")
        .column("store")
        .measured("reads")
        .measured("invalidations")
        .measured("stale reads")
        .measured("of them where it was invalidated")
        .measured("longest staleness")
        .column("verdict");
    for make in [Shared::one, Shared::cluster] {
        let shared = make();
        for contender in Contender::ALL {
            let run = Run {
                contender,
                trouble: Trouble::Connections,
                time: limits.time.unwrap_or(TIME),
                loss: 0,
                seed: 11,
            };
            let (done, noticed) = in_processes(&shared, &run);
            let found = judge(&done.history);
            row(&mut table, contender, shared.name(), &found);
            table.bar(noticed > 0 || !contender.has_connections(), || {
                format!("{} on {}: no trouble", contender.name(), shared.name())
            });
        }
    }
    table
}

fn row(table: &mut Table, contender: Contender, store: &str, found: &Findings) {
    let name = contender.name();
    let verdict = verdict(found);
    table.row([
        name.to_owned(),
        store.to_owned(),
        found.reads.to_string(),
        found.invalidations.to_string(),
        found.stale.to_string(),
        found.stale_at_home.to_string(),
        format!("{} ms", found.longest.as_millis()),
        verdict.to_owned(),
    ]);
    let is_well = match contender {
        Contender::Far => verdict == NEVER,
        Contender::Tiers => [NEVER, WITHIN].contains(&verdict),
        // Their faults must be found, otherwise the checker finds nothing.
        Contender::CacheAside | Contender::Moka => verdict == OUTSIDE,
    };
    table.bar(is_well, || format!("{name} on {store}: {found:?}"));
    let is_enough = found.reads > 2_000 && found.invalidations > 200;
    table.bar(is_enough, || format!("{name} on {store}: only {found:?}"));
}

const NEVER: &str = "never stale";
const WITHIN: &str = "within the near TTL";
const OUTSIDE: &str = "serves what was invalidated";
const INVENTED: &str = "serves what the source never had";

/// Returns what a history shows: a cache serves only what the source had, never a stale value in the process
/// that invalidated it, and elsewhere one for at most the near TTL.
pub(crate) fn verdict(found: &Findings) -> &'static str {
    match found {
        Findings { invented: 1.., .. } => INVENTED,
        Findings { stale: 0, .. } => NEVER,
        Findings {
            stale_at_home: 0,
            longest,
            ..
        } if *longest <= NEAR_TTL + SLACK => WITHIN,
        _ => OUTSIDE,
    }
}
