//! Runs the long form of Matinee's soak test, and makes a table of its figures.
//!
//! The test itself is in `examples/matinee/tests/e2e/soak`: it needs the program, its visitors and their forms.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use crate::{Limits, Table};

/// How long it runs, unless `--seconds` says otherwise.
const TIME: Duration = Duration::from_secs(600);
const TEST: &str = "soak::whatever_fails_memory_descriptors_tasks_and_keys_end_where_they_began";

/// Runs it for ten minutes, or as long as `limits` has it.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let time = limits.time.unwrap_or(TIME);
    let mut table = Table::new()
        .column("what")
        .measured("after the warm-up")
        .measured("at the end")
        .measured("at most")
        .column("verdict");
    let report = env::temp_dir().join(format!("larder-soak-{}", process::id()));
    let done = run(time, &report);
    let text = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [what, began, ended, most] => {
                let number = |text: &str| text.parse::<u64>();
                let is_well = match (number(ended), number(most)) {
                    (Ok(ended), Ok(most)) => ended <= most,
                    _ => false,
                };
                let verdict = match is_well {
                    true => "as it began",
                    false => "more than it began with",
                };
                table.row([what, began, ended, most, verdict]);
                table.bar(is_well, || {
                    format!("{what}: {ended}, and at most {most} were meant")
                });
            }
            [what, count] => table.row([what, "—", count, "—", "—"]),
            _ => table.bar(false, || format!("no figure: '{line}'")),
        }
    }
    // If no test has this name, cargo runs none and succeeds.
    table.bar(!table.is_empty(), || {
        format!("no figures: is there a test {TEST}?")
    });
    match done {
        Ok(()) => table.row(["seconds", "—", &time.as_secs().to_string(), "—", "—"]),
        Err(error) => table.bar(false, || error),
    }
    table
}

fn run(time: Duration, report: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "test", "--quiet", "--locked", "-p", "matinee", "--test", "e2e",
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.args(["--", "--exact", TEST, "--nocapture"]);
    cargo
        .env("SOAK_SECONDS", time.as_secs().to_string())
        .env("SOAK_REPORT", report);
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the soak test of matinee: {status}")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
