//! Runs the box office: reads the environment, then serves until it is told to stop.

use std::io::Write;
use std::process::ExitCode;

use matinee::{Config, StartError};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "matinee: {}", error.in_one_line());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), StartError> {
    let config = Config::from_env()?;
    matinee::start_logs(&config);
    let listen = config.listen;
    // Boxed, because the future of the whole start is large.
    let app = Box::pin(matinee::app(config)).await?;
    let listener = matinee::bind(listen).await?;
    matinee::serve(listener, app, matinee::stop_signal()?).await
}
