//! The commands, each in a file of its own.

mod bench;
mod cache;
mod doctor;
mod events;
mod explain;
mod limit;
mod lock;
mod ping;
mod queue;
mod scan;
mod session;
mod top;

use crate::args::{Cli, Command};
use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

/// The exit code of a command that succeeded.
pub(crate) const DONE: u8 = 0;

/// The exit code of a command that found a problem, did not find what it names, or was declined.
pub(crate) const NOT_DONE: u8 = 1;

/// Runs a command, and returns its exit code.
///
/// The future of each command is boxed: all of them together would be a large one.
pub(crate) async fn run(cli: &Cli, output: &mut Output<'_, '_>) -> Result<u8> {
    let url = match &cli.command {
        Command::Doctor(args) => args.store_url.as_deref(),
        Command::Ping { store_url, .. }
        | Command::Bench { store_url, .. }
        | Command::Top { store_url, .. } => store_url.as_deref(),
        _ => None,
    };
    let target = Target::open(&cli.options, url).await?;
    match &cli.command {
        Command::Doctor(args) => Box::pin(doctor::run(&target, args, output)).await,
        Command::Ping { count, .. } => Box::pin(ping::run(&target, *count, output)).await,
        Command::Scan { prefix, largest } => {
            Box::pin(scan::run(&target, prefix, *largest, output)).await
        }
        Command::Session(command) => Box::pin(session::run(&target, command, output)).await,
        Command::Limit(command) => Box::pin(limit::run(&target, command, output)).await,
        Command::Queue(command) => Box::pin(queue::run(&target, command, output)).await,
        Command::Events(command) => Box::pin(events::run(&target, command, output)).await,
        Command::Lock(command) => Box::pin(lock::run(&target, command, output)).await,
        Command::Cache(command) => Box::pin(cache::run(&target, command, output)).await,
        Command::Explain { key } => Box::pin(explain::run(&target, key, output)).await,
        Command::Bench { millis, .. } => Box::pin(bench::run(&target, *millis, output)).await,
        Command::Top {
            count, interval, ..
        } => Box::pin(top::run(&target, *count, *interval, output)).await,
    }
}
