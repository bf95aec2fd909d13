//! When to stop: on SIGINT (Ctrl-C) or SIGTERM.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::errors::StartError;

/// Listens for the signals from now on; the future resolves at the first of them.
///
/// # Errors
///
/// When the process may not install a handler.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
