//! What larder costs beside its peers. See `docs/benchmarks.md`, which this writes.

#![allow(
    clippy::print_stderr,
    reason = "it is a command, and tells how far it is"
)]

mod groups;
mod harness;
mod load;
mod table;

use std::path::Path;
use std::process::ExitCode;

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
    ("load_through", |_| groups::load_through::run()),
    ("fast_path", |_| groups::fast_path::run()),
    ("gcra", groups::gcra::run),
    ("layer", |_| groups::layer::run()),
    ("leases", groups::leases::run),
    ("response_cache", |_| groups::response_cache::run()),
    ("redis_get", groups::redis_get::run),
    ("cluster", groups::cluster::run),
    ("session", groups::session::run),
];

/// Measures every group and writes the page; or only those named as arguments, and writes nothing.
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("'{unknown}' is no group: expected {}", names.join(", ")).into());
    }
    let redis = RedisServer::start()?;
    let mut rows = Vec::new();
    for (name, group) in GROUPS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            rows.extend(group(&redis.url()));
        }
    }
    if asked.is_empty() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        table::write(&page, &rows, &machine())?;
        eprintln!("written: docs/benchmarks.md");
    }
    Ok(())
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} {} with {cores} cores",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
