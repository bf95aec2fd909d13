//! What larder costs beside its peers. See `docs/benchmarks.md`, which this writes.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it is a command, and tells how far it is"
)]

mod client;
mod groups;
mod harness;
mod load;
mod scale;
mod table;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use larder_test::server::RedisServer;

use crate::harness::Row;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A group of rows, by its name.
type Group = (&'static str, fn(&str) -> Vec<Row>);

const GROUPS: &[Group] = &[
    ("near_hit", |_| groups::near_hit::run()),
    ("hit_ratio", |_| groups::hit_ratio::run()),
    ("load_through", |_| groups::load_through::run()),
    ("typed_cache", groups::typed_cache::run),
    ("fast_path", |_| groups::fast_path::run()),
    ("gcra", groups::gcra::run),
    ("layer", |_| groups::layer::run()),
    ("leases", groups::leases::run),
    ("locks", groups::locks::run),
    ("queue", groups::queue::run),
    ("events", groups::events::run),
    ("structures", groups::structures::run),
    ("queue_large", groups::queue_large::run),
    ("queue_peers", groups::queue_peers::run),
    ("response_cache", |_| groups::response_cache::run()),
    ("response_cache_sockets", |_| {
        groups::response_cache_sockets::run()
    }),
    ("redis_get", groups::redis_get::run),
    ("cluster", groups::cluster::run),
    ("session", groups::session::run),
    ("operations", |_| groups::operations::run()),
];

/// Measures every group and writes the page; or only those named as arguments, whose lines it prints;
/// or, after `scale`, how it scales.
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if scale::is_unit(&asked)? {
        return Ok(());
    }
    if let [command, parts @ ..] = &asked[..]
        && command == "scale"
    {
        return scale::run(parts);
    }
    if asked.is_empty() {
        let mut lines = Vec::with_capacity(GROUPS.len());
        for (name, _) in GROUPS {
            lines.push(apart(name)?);
        }
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        table::write(&page, &lines.concat())?;
        eprintln!("written: docs/benchmarks.md");
        return Ok(());
    }
    let names: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!(
            "'{unknown}' is no group: expected scale, {}",
            names.join(", ")
        )
        .into());
    }
    let redis = RedisServer::start()?;
    for (name, group) in GROUPS {
        if asked.iter().any(|asked| asked == name) {
            for row in group(&redis.url()) {
                println!("{}", row.line());
            }
        }
    }
    Ok(())
}

/// The lines of a group, measured in a process of its own: what another left of the heap is nothing
/// to it.
fn apart(name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut group = Command::new(std::env::current_exe()?);
    let group = group.arg(name).stderr(Stdio::inherit()).output()?;
    match group.status.success() {
        true => Ok(String::from_utf8(group.stdout)?),
        false => Err(format!("the group '{name}' failed").into()),
    }
}
