#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod args;
mod commands;
mod error;
mod io;
mod key;
mod output;
mod scan;
mod target;

use std::ffi::OsString;
use std::pin::Pin;

use clap::Parser;

use args::Cli;
pub use io::Io;
use output::Output;

/// Runs the command line `args`, whose first word is the name of the program, and returns its exit code.
///
/// 0 is success, 1 means that a problem was found, something is missing, or not everything was done, and 2 that the
/// command failed.
pub async fn run(args: impl IntoIterator<Item = OsString>, mut io: Io<'_>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let is_error = error.use_stderr();
            let to = if is_error { &mut io.err } else { &mut io.out };
            // The error repeats what was typed, which may contain anything.
            let text = error.to_string();
            for line in text.lines() {
                // A closed pipe is not worth a message.
                let _ = writeln!(to, "{}", output::escape(line));
            }
            return if is_error { 2 } else { 0 };
        }
    };
    let mut output = Output::new(&mut io, &cli.options);
    // Boxed to hide its type, which is so deep that the compiler gives up on it in a caller.
    let running: Pin<Box<dyn Future<Output = error::Result<u8>> + '_>> =
        Box::pin(commands::run(&cli, &mut output));
    match running.await {
        Ok(code) => code,
        Err(error) if error.is_closed_output() => 2,
        Err(error) => {
            output.error(&error);
            2
        }
    }
}
