//! Other clients of the server: connections, buffers and what they run.

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, above, bytes, outcome, warn_if};
use crate::fields::Missing;

const KIB: f64 = 1024.0;

/// Commands that block every client, or remove the keys of all.
const DANGEROUS: [&str; 4] = ["keys", "flushall", "flushdb", "monitor"];

pub(super) fn connections(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let connected = info.number("connected_clients")?;
    let most = info.number("maxclients")?.max(1.0);
    let status = above(connected / most, 0.75, 0.9);
    outcome(status, format!("{connected:.0} of {most:.0}"))
}

pub(super) fn rejected(facts: &Facts, _: &Context) -> Outcome {
    let (total, now) = facts.counter("rejected_connections")?;
    let status = match now > 0.0 {
        true => Status::Fail,
        false => warn_if(total > 0.0),
    };
    let seen = format!("{total:.0} since the server started, {now:.0} just now");
    outcome(status, seen)
}

pub(super) fn idle_timeout(facts: &Facts, _: &Context) -> Outcome {
    let timeout = facts.config()?.number("timeout")?;
    outcome(warn_if(timeout != 0.0), format!("timeout {timeout:.0}"))
}

pub(super) fn buffers(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let clients = info.number("connected_clients")?.max(1.0);
    let each = info.number("mem_clients_normal")? / clients;
    outcome(
        warn_if(each > 200.0 * KIB),
        format!("{} for each", bytes(each)),
    )
}

pub(super) fn slow_readers(facts: &Facts, _: &Context) -> Outcome {
    let largest = facts.info()?.number("client_recent_max_output_buffer")?;
    outcome(warn_if(largest > 8.0 * KIB * KIB), bytes(largest))
}

pub(super) fn dangerous_commands(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    if !info.has_any("cmdstat_") {
        return Err(Missing::new("the server does not report cmdstat_…"));
    }
    let hours = facts.hours()?.max(1.0);
    let (mut seen, mut is_often) = (Vec::new(), false);
    for command in DANGEROUS {
        let calls = info.count(&format!("cmdstat_{command}"), "calls");
        if calls > 0.0 {
            seen.push(format!("{calls:.0} {}", command.to_uppercase()));
        }
        is_often |= calls / hours >= 1.0;
    }
    let seen = match seen.is_empty() {
        true => "none".to_owned(),
        false => format!("{} since the server started", seen.join(", ")),
    };
    outcome(warn_if(is_often), seen)
}

pub(super) fn keyspace_events(facts: &Facts, _: &Context) -> Outcome {
    let events = facts.config()?.text("notify-keyspace-events")?;
    match events {
        "" => outcome(Status::Ok, "off"),
        events => outcome(
            Status::Warn,
            format!("'{events}': each change is published, and larder does not need it"),
        ),
    }
}
