//! The span of a round trip, by the conventions of OpenTelemetry for clients of databases.

use ::redis::{Arg, Cmd, Value};
use larder_store::{Error, ErrorKind, Result};
use tracing::field::Empty;
use tracing::{Level, Span, debug_span};

use super::Operation;
use super::commands::Commands;
use crate::script::is_forgotten;

impl Operation<'_> {
    /// Returns the span of a round trip. None if nobody listens at debug level.
    ///
    /// It contains no key, no argument and no value, only the first word of a command.
    pub(super) fn span(&self, commands: Commands<'_>) -> Option<Span> {
        if !tracing::enabled!(Level::DEBUG) {
            return None;
        }
        let (name, batch) = match commands {
            Commands::One(command) => (word(command), None),
            Commands::Many(pipeline) => {
                let mut names = pipeline.cmd_iter().map(word);
                let first = names.next().unwrap_or_default();
                let name = match names.all(|name| name == first) {
                    true => format!("PIPELINE {first}"),
                    false => "PIPELINE".to_owned(),
                };
                (name, (pipeline.len() > 1).then(|| pipeline.len() as u64))
            }
        };
        let (address, port) = host_and_port(self.location());
        let span = debug_span!(
            "redis",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = "redis",
            db.operation.name = name,
            db.operation.batch.size = batch,
            db.stored_procedure.name = self.script,
            db.response.status_code = Empty,
            error.r#type = Empty,
            server.address = address,
            server.port = port,
        );
        (!span.is_disabled()).then_some(span)
    }
}

/// Records the server's answer in a span.
pub(super) fn answered(span: &Span, commands: Commands<'_>, outcome: &Result<Value>) {
    let code = match outcome {
        Ok(value) => {
            let mut answers = commands.answers(value).iter();
            let refused = answers.find_map(|answer| match answer {
                // A script that the server does not know is sent again, with its text.
                Value::ServerError(error) if !is_forgotten(answer) => Some(error.code()),
                _ => None,
            });
            let Some(code) = refused else { return };
            span.record("db.response.status_code", code);
            code
        }
        Err(error) => lost(error),
    };
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

fn lost(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotSent => "not_sent",
        ErrorKind::MayHaveRun => "may_have_run",
        _ => "_OTHER",
    }
}

/// Returns the first word of a command.
fn word(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(Arg::Simple(word)) => String::from_utf8_lossy(word).into_owned(),
        _ => String::new(),
    }
}

/// Returns the host and port of a location such as `redis://host:6379`. If it names several servers,
/// all are the address, without a port.
fn host_and_port(location: &str) -> (&str, Option<u16>) {
    let place = location.split_once("://").map_or(location, |(_, it)| it);
    let split = place.rsplit_once(':').filter(|_| !place.contains(','));
    match split.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => (host.trim_matches(['[', ']']), Some(port)),
        None => (place, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_split_into_its_host_and_port() {
        for (location, host, port) in [
            ("redis://127.0.0.1:6379", "127.0.0.1", Some(6379)),
            ("rediss://[::1]:7000", "::1", Some(7000)),
            ("unix:///run/redis.sock", "/run/redis.sock", None),
            ("redis+sentinel://a:1,b:2/m", "a:1,b:2/m", None),
        ] {
            assert_eq!(host_and_port(location), (host, port), "{location}");
        }
    }
}
