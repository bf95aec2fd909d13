//! Runs the public HTTP cache test suite against the example `caching_proxy`.
//!
//! The suite is an npm package of a pinned version, installed below `target/`. It is run in both profiles,
//! in process and on Redis. The package also holds the results of other caches, which its authors measured;
//! the page has them beside these.

mod reasons;
mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_test::server::RedisServer;

use self::reasons::REASONS;
use self::suite::{Mark, Said, Server, Suite};
use crate::Table;

const KINDS: [&str; 3] = ["required", "optimal", "check"];
const PROFILES: [&str; 2] = ["safe", "rfc"];

/// Runs the suite; a bar is missed for each test that does not pass and has no reason.
///
/// Takes about two minutes, most of which the tests wait for responses to become stale.
#[must_use]
pub fn prove() -> Table {
    let (mut totals, mut failures) = tables();
    if let Err(error) = run(&mut totals, &mut failures) {
        // Half a table would mislead: the page keeps the one that it has.
        (totals, failures) = tables();
        totals.bar(false, || error);
    }
    totals.with_more("http-failures", failures)
}

fn tables() -> (Table, Table) {
    let totals = Table::new()
        .column("cache")
        .column("required: pass")
        .column("fail")
        .column("no verdict")
        .column("optimal: pass")
        .column("fail")
        .column("no verdict")
        .column("checks: yes")
        .column("no")
        .column("no verdict");
    let failures = Table::new()
        .column("tests that do not pass")
        .column("kind")
        .column("in")
        .column("section")
        .column("why");
    (totals, failures)
}

fn run(totals: &mut Table, failures: &mut Table) -> Result<(), String> {
    let target = target_directory()?;
    let proxy = build_proxy(&target)?;
    let suite = Suite::install(&target.join("http-cache-tests"))?;
    let origin = suite.origin()?;
    let redis = RedisServer::start().map_err(|error| error.to_string())?;
    let mut failed: BTreeMap<String, Failed> = BTreeMap::new();
    for profile in PROFILES {
        for (store, url) in [("memory", "memory://".to_owned()), ("Redis", redis.url())] {
            let name = format!("larder, `{profile}`, {store}");
            let mut command = Command::new(&proxy);
            let settings = [
                ("ORIGIN", origin.url.as_str()),
                ("LISTEN", "127.0.0.1:0"),
                ("PROFILE", profile),
                ("STORE_URL", url.as_str()),
            ];
            let server = Server::start(command.envs(settings), "caching_proxy")?;
            let said = suite.run(&server.url)?;
            totals.row(count(&name, &said));
            for said in said.into_iter().filter(is_failure) {
                let entry = failed.entry(said.id.clone());
                let failed = entry.or_insert_with(|| Failed::new(said.kind, said.why));
                failed.runs.insert((profile, store));
            }
        }
    }
    let mut others: Vec<(String, Vec<Said>)> = Vec::new();
    for said in suite.published()? {
        match others.last_mut() {
            Some((name, all)) if *name == said.cache => all.push(said),
            _ => others.push((said.cache.clone(), vec![said])),
        }
    }
    for (name, said) in &others {
        totals.row(count(name, said));
    }
    explain(totals, failures, &failed);
    Ok(())
}

/// A test that does not pass.
struct Failed {
    kind: String,
    why: String,
    runs: BTreeSet<(&'static str, &'static str)>,
}

impl Failed {
    fn new(kind: String, why: String) -> Self {
        let runs = BTreeSet::new();
        Self { kind, why, runs }
    }

    /// Names the profiles in which it does not pass, whatever the store.
    fn profiles(&self) -> BTreeSet<&'static str> {
        self.runs.iter().map(|(profile, _)| *profile).collect()
    }
}

/// Returns whether a test that has a verdict to give does not pass.
fn is_failure(said: &Said) -> bool {
    said.kind != "check" && said.mark() != Mark::Passes
}

fn count(name: &str, said: &[Said]) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    for kind in KINDS {
        let of_kind = said.iter().filter(|said| said.kind == kind);
        let marks: Vec<_> = of_kind.map(Said::mark).collect();
        let count = |wanted: Mark| marks.iter().filter(|mark| **mark == wanted).count();
        let (passes, fails) = (count(Mark::Passes), count(Mark::Fails));
        cells.extend([passes, fails, marks.len() - passes - fails].map(|it| it.to_string()));
    }
    cells
}

/// Writes a row for each reason, and misses a bar for a failure without one and for a reason without a failure.
fn explain(totals: &mut Table, failures: &mut Table, failed: &BTreeMap<String, Failed>) {
    let reason_of = |id: &str| REASONS.iter().position(|reason| reason.covers(id));
    for (id, it) in failed {
        totals.bar(reason_of(id).is_some(), || {
            format!("{id} does not pass: {}", it.why)
        });
        let both = it.profiles().len() * 2 == it.runs.len();
        totals.bar(both, || format!("{id} depends on the store: {:?}", it.runs));
    }
    for (at, reason) in REASONS.iter().enumerate() {
        // One row for the tests of a kind that fail in the same profiles.
        let mut rows: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (id, it) in failed.iter().filter(|(id, _)| reason_of(id) == Some(at)) {
            let profiles: Vec<_> = it.profiles().into_iter().rev().collect();
            let row = rows.entry((profiles.join(" and "), it.kind.as_str()));
            row.or_default().push(id);
        }
        totals.bar(!rows.is_empty(), || {
            format!("all of {:?} pass", reason.tests)
        });
        for ((profiles, kind), ids) in rows {
            let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
            let cells = [ids.join(", "), kind.to_owned(), profiles];
            let reason = [reason.section, reason.why].map(str::to_owned);
            failures.row(cells.into_iter().chain(reason));
        }
    }
}

/// Returns the directory of the build, in which this program lies in a directory of its profile.
fn target_directory() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(2).map(Path::to_owned);
    target.ok_or_else(|| format!("{} is not in a target directory", program.display()))
}

fn build_proxy(target: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let build = [
        "build",
        "--quiet",
        "--locked",
        "-p",
        "larder-examples",
        "--example",
        "caching_proxy",
    ];
    cargo.args(build).arg("--target-dir").arg(target);
    let profile = match cfg!(debug_assertions) {
        true => "debug",
        false => {
            cargo.arg("--release");
            "release"
        }
    };
    match cargo.status() {
        Ok(status) if status.success() => Ok(target.join(profile).join("examples/caching_proxy")),
        Ok(status) => Err(format!("caching_proxy does not build: {status}")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
