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

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let redis = RedisServer::start()?;
    let mut rows = groups::near_hit::run();
    rows.extend(groups::load_through::run());
    rows.extend(groups::fast_path::run());
    rows.extend(groups::gcra::run(&redis.url()));
    rows.extend(groups::layer::run());
    rows.extend(groups::redis_get::run(&redis.url()));

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
    table::write(&page, &rows, &machine())?;
    eprintln!("written: docs/benchmarks.md");
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
