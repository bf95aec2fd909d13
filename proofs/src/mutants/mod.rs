//! Changes the code that decides, one spot at a time, and looks whether a test fails.
//!
//! cargo-mutants does the changing, in a copy of the tracked files below `target/`, whose own build is kept:
//! each mutant then costs the build of one crate. The cheapest tests run first, and the others only on what
//! those did not catch. What no test catches stands in `proofs/mutants/`, each with the reason.

mod areas;
mod ledger;
pub mod names;
mod run;

use self::areas::{AREAS, Area};
pub use self::ledger::{Ledger, Outcome, Shard};
use crate::{Limits, Table};

/// The least part of the viable mutants of an area that tests catch, in percent.
const BAR: usize = 97;

/// Returns the names of the areas.
pub fn areas() -> impl Iterator<Item = &'static str> {
    AREAS.iter().map(|area| area.name)
}

/// Runs the area of `limits`, if one is named, and makes the table of what is known of all.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("area")
        .column("decides")
        .column("shards run")
        .column("mutants")
        .column("do not compile")
        .column("caught")
        .column("not caught")
        .column("score");
    let chosen = limits
        .area
        .and_then(|name| AREAS.iter().find(|area| area.name == name));
    if let Some(area) = chosen {
        let done = run_one(area, limits.shard.unwrap_or(Shard::WHOLE), limits.again);
        if let Err(error) = done {
            table.bar(false, || error);
        }
    }
    for area in AREAS {
        match Ledger::read(area.name) {
            Ok(ledger) => add(&mut table, area, &ledger),
            Err(error) => table.bar(false, || error),
        }
    }
    table
}

fn run_one(area: &Area, shard: Shard, again: bool) -> Result<(), String> {
    let mut ledger = Ledger::read(area.name)?;
    let known = again.then(|| ledger.0.get(&shard).cloned().unwrap_or_default());
    run::run(area, shard, known, |outcome| {
        ledger.note(shard, outcome);
        ledger.write(area.name)
    })
}

fn add(table: &mut Table, area: &Area, ledger: &Ledger) {
    // The page names those that were never run.
    let Some(of) = ledger.0.keys().next().map(|shard| shard.of) else {
        return;
    };
    let sum = ledger.sum();
    let viable = sum.caught + sum.survivors.len();
    table.bar(sum.caught * 100 >= viable * BAR, || {
        format!(
            "{}: fewer than {BAR} % of the mutants are caught",
            area.name
        )
    });
    for (name, _) in sum.survivors.iter().filter(|(_, why)| why.is_empty()) {
        table.bar(false, || {
            format!("{name}: it is not caught, and no reason is given")
        });
    }
    let score = sum.caught * 1000 / viable.max(1);
    table.row([
        area.name.to_owned(),
        area.what.to_owned(),
        format!("{} of {of}", ledger.0.len()),
        sum.mutants.to_string(),
        sum.unviable.to_string(),
        sum.caught.to_string(),
        sum.survivors.len().to_string(),
        format!("{}.{} %", score / 10, score % 10),
    ]);
}
