//! The checks: pure functions from facts to verdicts, each with its number.

mod clients;
mod cluster;
mod keys;
mod memory;
mod persistence;
mod replication;
mod rights;
mod speed;
mod stability;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Context;
use super::facts::Facts;
use super::report::{Finding, Status};
use super::verdict::Outcome;

pub(super) use rights::NEEDS;
pub(super) use speed::SLOW_ENTRIES;

/// The number of a check, such as `L003`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(&'static str);

/// A check of one server.
pub(super) struct ServerCheck {
    id: CheckId,
    title: &'static str,
    threshold: &'static str,
    fix: &'static str,
    run: fn(&Facts, &Context) -> Outcome,
}

/// The number and title of each check of a server and of the app.
pub fn all_checks() -> impl Iterator<Item = (CheckId, &'static str)> {
    let servers = SERVER_CHECKS.iter().map(|check| (check.id, check.title));
    servers.chain(super::app::checks())
}

const fn check(
    id: &'static str,
    title: &'static str,
    threshold: &'static str,
    fix: &'static str,
    run: fn(&Facts, &Context) -> Outcome,
) -> ServerCheck {
    let id = CheckId(id);
    ServerCheck {
        id,
        title,
        threshold,
        fix,
        run,
    }
}

/// Every check of a server, by its number.
#[rustfmt::skip]
pub(super) const SERVER_CHECKS: &[ServerCheck] = &[
    check("L001", "the server answers", "each PING within the deadline", "check that the server runs, and the network", speed::reach),
    check("L002", "server version", "Redis 7.0 or newer, or Valkey", "install Redis 7.0 or newer, or Valkey", stability::version),
    check("L003", "eviction policy", "noeviction for what must stay, any other policy but volatile-ttl for a cache alone", "CONFIG SET maxmemory-policy noeviction", memory::policy),
    check("L004", "memory limit", "maxmemory is set", "CONFIG SET maxmemory 1gb (well above what is used)", memory::limit),
    check("L005", "memory use", "75 % of maxmemory, fails at 90 %", "CONFIG SET maxmemory 2gb, or move a use to another server", memory::full),
    check("L006", "memory over the limit", "no time over maxmemory now", "CONFIG SET maxmemory 2gb, or move a use to another server", memory::over),
    check("L007", "evicted keys", "none where keys must stay", "CONFIG SET maxmemory-policy noeviction", memory::evicted),
    check("L008", "writes refused for memory", "none", "CONFIG SET maxmemory 2gb, or move a use to another server", memory::refused),
    check("L009", "memory fragmentation", "a ratio of 1.4 with 10 MiB, and no swapping", "CONFIG SET activedefrag yes; add memory to the machine if it swaps", memory::fragmentation),
    check("L010", "memory peak", "a peak of 90 % of maxmemory", "CONFIG SET maxmemory 2gb (INFO memory shows used_memory_peak)", memory::peak),
    check("L011", "cached scripts", "1,000 scripts", "find the client that makes a script for each call, then SCRIPT FLUSH", memory::scripts),
    check("L012", "evicted scripts", "none now", "find the client that sends EVAL with a new text each time", memory::evicted_scripts),
    check("L013", "keys without a TTL", "none of the app's", "EXPIRE the keys, and find the client that wrote them", keys::without_ttl),
    check("L014", "connections", "75 % of maxclients, fails at 90 %", "CONFIG SET maxclients 20000", clients::connections),
    check("L015", "refused connections", "none", "CONFIG SET maxclients 20000", clients::rejected),
    check("L016", "idle timeout", "timeout 0", "CONFIG SET timeout 0", clients::idle_timeout),
    check("L017", "buffers of clients", "200 KiB for each client", "CLIENT LIST shows the client with a large omem or qbuf", clients::buffers),
    check("L018", "slow readers", "8 MiB waiting for one client", "CLIENT LIST shows the client with a large omem", clients::slow_readers),
    check("L019", "round trip", "a quarter of the timeout, fails at 50 ms", "move the app nearer to the server, or look at L020 and L021", speed::round_trip),
    check("L020", "slow commands", "none over 10 ms in the last hour", "SLOWLOG GET shows the commands and their clients", speed::slow_commands),
    check("L021", "latency events", "none longer than the timeout", "LATENCY DOCTOR explains the events; LATENCY RESET forgets them", speed::latency_events),
    check("L022", "commands that block the server", "KEYS, FLUSHALL, FLUSHDB or MONITOR less than once an hour", "find the client (CLIENT LIST), and deny it: ACL SETUSER name -@dangerous", clients::dangerous_commands),
    check("L023", "saving to disk", "the last one succeeded", "look for disk space and permissions in the log of the server, then BGSAVE", persistence::saving),
    check("L024", "durability", "appendonly yes and everysec or always for sessions and queues", "CONFIG SET appendonly yes", persistence::durability),
    check("L025", "time of a fork", "half of the timeout", "use a machine with huge pages off and a faster fork, or save on a replica", persistence::fork),
    check("L026", "role", "master", "use the URL of the master, or redis+sentinel://", replication::role),
    check("L027", "replicas", "all online, less than 10 s behind", "look at the log of the replica and at the network", replication::replicas),
    check("L028", "failed partial resyncs", "less than one a day", "CONFIG SET repl-backlog-size 64mb", replication::resyncs),
    check("L029", "state of the cluster", "ok, with 16,384 slots assigned and none failing", "redis-cli --cluster check host:port", cluster::state),
    check("L030", "settings of the cluster", "cluster-require-full-coverage no, cluster-node-timeout 5000 or less", "CONFIG SET cluster-require-full-coverage no", cluster::settings),
    check("L031", "sentinels", "at least 3, a quorum, down-after-milliseconds below 30000", "SENTINEL SET name down-after-milliseconds 1000", cluster::sentinels),
    check("L032", "rights of the user", "every command that is tried", "ACL SETUSER app … as in the section 'A user for the app'", rights::missing),
    check("L033", "too many rights", "only the app's keys, and no dangerous commands", "ACL SETUSER app … as in the section 'A user for the app'", rights::too_many),
    check("L034", "encryption", "TLS to every server that is not on this machine", "use rediss://", rights::encryption),
    check("L035", "end of the certificate", "30 days away, fails at 7 days", "renew the certificate, then CONFIG SET tls-cert-file", rights::certificate),
    check("L036", "clock", "1 s from ours, fails at 60 s", "run chrony or systemd-timesyncd on both machines", stability::clock),
    check("L037", "large values", "1 MiB, fails at 16 MiB", "larder scan --json PREFIX shows the largest keys", keys::large),
    check("L038", "hot keys", "a counter of 200, which is some 190,000 reads", "cache the key near, or spread it over several", keys::hot),
    check("L039", "expired keys in memory", "10 % of the keys", "CONFIG SET active-expire-effort 5", memory::expiry),
    check("L040", "hits of a cache", "half of the reads after 1,000", "raise maxmemory or TTLs; the metrics of larder show the kinds", memory::hits),
    check("L043", "keyspace events", "off", "CONFIG SET notify-keyspace-events \"\"", clients::keyspace_events),
];

/// Makes the finding for a store whose servers are unknown.
pub(super) fn no_server() -> Finding {
    let reach = &SERVER_CHECKS[0];
    Finding {
        id: reach.id,
        title: reach.title,
        server: String::new(),
        status: Status::Fail,
        seen: "no server is known that takes writes".to_owned(),
        threshold: reach.threshold,
        fix: reach.fix,
        page: page(reach.id, reach.title),
    }
}

impl ServerCheck {
    /// Judges one server. None if the check does not apply to it.
    pub(super) fn judge(&self, facts: &Facts, context: &Context) -> Option<Finding> {
        let (status, seen, fix) = match (self.run)(facts, context) {
            Ok(None) => return None,
            Ok(Some(verdict)) => (verdict.status, verdict.seen, verdict.fix),
            Err(missing) => (Status::Unknown, missing.0, None),
        };
        Some(Finding {
            id: self.id,
            title: self.title,
            server: facts.server.clone(),
            status,
            seen: shorten(seen),
            threshold: self.threshold,
            fix: fix.unwrap_or(self.fix),
            page: page(self.id, self.title),
        })
    }
}

/// The maximum length of a text about the observed value, in characters: a server may say anything.
const LONGEST: usize = 500;

fn shorten(seen: String) -> String {
    match seen.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &seen[..end]),
        None => seen,
    }
}

/// Returns the section of the documentation about a check.
pub(super) fn page(id: CheckId, title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    format!("docs/doctor.md#{}-{title}", id.0.to_lowercase())
}

impl CheckId {
    pub(super) const fn new(id: &'static str) -> Self {
        Self(id)
    }

    /// Returns whether the check concerns the app, and no server.
    pub fn is_of_app(self) -> bool {
        !SERVER_CHECKS.iter().any(|check| check.id == self)
    }

    /// Returns the number, such as `L003`.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// The error of a word that names no check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCheck;

impl fmt::Display for UnknownCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the number of a check, such as L003")
    }
}

impl std::error::Error for UnknownCheck {}

impl FromStr for CheckId {
    type Err = UnknownCheck;

    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let mut all = all_checks().map(|(id, _)| id);
        all.find(|id| id.0.eq_ignore_ascii_case(text))
            .ok_or(UnknownCheck)
    }
}
