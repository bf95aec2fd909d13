//! Logs: one event per line, and one span for each request.

use std::io::IsTerminal;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use tracing::Span;
use tracing_subscriber::EnvFilter;

use crate::clock::span_ms;
use crate::config::{Config, ConfigError, LogFormat};

/// Sends logs to standard output, filtered and formatted according to the settings.
///
/// Does nothing if the process already has a subscriber.
pub fn start_logs(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log))
        .with_ansi(std::io::stdout().is_terminal());
    let _ = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

pub(crate) fn checked_filter(value: String) -> Result<String, ConfigError> {
    match EnvFilter::try_new(&value) {
        Ok(_) => Ok(value),
        Err(_) => Err(ConfigError {
            name: "RUST_LOG",
            value,
            expected: "a filter of levels and targets",
            fix: "RUST_LOG=info or RUST_LOG=info,matinee=debug",
        }),
    }
}

/// The span of a request. It has the path but not the query, because people search for names.
pub(crate) fn span(request: &Request) -> Span {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok());
    tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        id = id.unwrap_or_default(),
    )
}

pub(crate) fn answered(response: &Response, took: Duration, _: &Span) {
    let status = response.status().as_u16();
    let ms = span_ms(took);
    tracing::info!(status, ms, "answered");
}
