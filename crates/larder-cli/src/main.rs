//! The `larder` command.

use std::io::{self, BufReader, IsTerminal};
use std::process::ExitCode;

use larder_cli::Io;

#[tokio::main]
async fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr());
    let mut input = BufReader::new(io::stdin());
    let io = Io {
        shows_progress: err.is_terminal(),
        clears_screen: out.is_terminal(),
        out: &mut out,
        err: &mut err,
        input: &mut input,
    };
    ExitCode::from(larder_cli::run(std::env::args_os(), io).await)
}
