//! The user: too few rights, too many, and a connection that others can read.

use std::net::IpAddr;

use super::super::Context;
use super::super::facts::{Facts, Need};
use super::super::report::Status;
use super::super::verdict::{Outcome, outcome, warn_if, with_fix};
use crate::fields::Missing;

/// Every command that larder uses.
#[rustfmt::skip]
pub(in super::super) const NEEDS: &[Need] = &[
    need(&["GET", "KEY"], "reading values", true),
    need(&["SET", "KEY", "x", "PX", "1"], "writing values", true),
    need(&["DEL", "KEY"], "removing values", true),
    need(&["PEXPIRE", "KEY", "1"], "changing a TTL", true),
    need(&["PTTL", "KEY"], "reading a TTL", true),
    need(&["EVAL", "return 0", "1", "KEY"], "programs: limits, sessions, locks, queues", true),
    need(&["EVALSHA", "x", "1", "KEY"], "programs: limits, sessions, locks, queues", true),
    need(&["TIME"], "programs: limits, sessions, locks, queues", true),
    need(&["PUBLISH", "CHANNEL", "x"], "messages to other processes", false),
    need(&["SUBSCRIBE", "CHANNEL"], "messages from other processes", false),
    need(&["SCAN", "0"], "listing keys", false),
    need(&["INFO"], "listing keys", false),
    need(&["CLIENT", "INFO"], "ending hung connections at the server", false),
    need(&["CLIENT", "KILL", "ID", "1"], "ending hung connections at the server", false),
];

const fn need(command: &'static [&'static str], feature: &'static str, is_vital: bool) -> Need {
    Need {
        command,
        feature,
        is_vital,
    }
}

pub(super) fn missing(facts: &Facts, _: &Context) -> Outcome {
    let rights = facts.rights.as_ref().map_err(Clone::clone)?;
    let missing: Vec<_> = rights.iter().filter(|right| !right.is_granted).collect();
    if missing.is_empty() {
        return outcome(Status::Ok, "all that larder uses");
    }
    let named = missing.iter().map(|right| {
        let words = match right.need.command {
            ["CLIENT", subcommand, ..] => format!("CLIENT {subcommand}"),
            [command, ..] => (*command).to_owned(),
            [] => String::new(),
        };
        format!("{words} ({})", right.need.feature)
    });
    let seen = format!("may not run {}", named.collect::<Vec<_>>().join(", "));
    let status = match missing.iter().any(|right| right.need.is_vital) {
        true => Status::Fail,
        false => Status::Warn,
    };
    outcome(status, seen)
}

pub(super) fn too_many(facts: &Facts, _: &Context) -> Outcome {
    let user = facts.user.as_ref().map_err(Clone::clone)?;
    let name = &user.name;
    if user.needs_no_password && is_far(facts) {
        let seen = format!("'{name}' needs no password, and the server is on another machine");
        return with_fix(Status::Fail, seen, "ACL SETUSER default off");
    }
    let too_many = match (user.has_all_commands, user.has_all_keys) {
        (true, true) => "every command on every key",
        (true, false) => "every command",
        (false, true) => "every key",
        (false, false) => return outcome(Status::Ok, format!("'{name}' is restricted")),
    };
    outcome(Status::Warn, format!("'{name}' may use {too_many}"))
}

pub(super) fn encryption(facts: &Facts, _: &Context) -> Outcome {
    let scheme = facts.server.split(':').next().unwrap_or_default();
    if scheme.starts_with("rediss") || scheme.starts_with("valkeys") {
        return outcome(Status::Ok, "TLS");
    }
    if scheme.contains("unix") {
        return outcome(Status::Ok, "a Unix socket");
    }
    if facts.addresses.is_empty() {
        return Err(Missing::new("the address of the host is not known"));
    }
    if facts.addresses.iter().all(is_here) {
        return outcome(Status::Ok, "plain, on this machine");
    }
    match facts.addresses.iter().all(is_private) {
        true => outcome(warn_if(true), "plain, to a private address"),
        false => outcome(Status::Fail, "plain, to a public address"),
    }
}

fn is_far(facts: &Facts) -> bool {
    !facts.addresses.iter().all(is_here)
}

fn is_here(address: &IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_private(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
