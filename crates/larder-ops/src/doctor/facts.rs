use std::net::IpAddr;
use std::time::Duration;

use super::permissions::Excess;
use crate::fields::{Fields, Missing};

/// Everything that was read about one server. The checks look at nothing else.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The address of the server, without user and password.
    pub(crate) server: String,
    /// The addresses behind its host name. Empty for a Unix socket.
    pub(crate) addresses: Vec<IpAddr>,
    /// The times of some `PING`s, in ascending order.
    pub(crate) pings: Result<Vec<Duration>, Missing>,
    pub(crate) info: Result<Fields, Missing>,
    /// `INFO` once more, an interval later.
    pub(crate) later: Option<Fields>,
    pub(crate) config: Result<Fields, Missing>,
    pub(crate) slow: Result<Vec<SlowCommand>, Missing>,
    pub(crate) events: Result<Vec<LatencyEvent>, Missing>,
    /// None unless the server is a node of a cluster.
    pub(crate) cluster: Option<Result<Fields, Missing>>,
    pub(crate) user: Result<Result<User, NoUser>, Missing>,
    pub(crate) rights: Result<Vec<Right>, Missing>,
    /// The time that the TLS certificate is valid for, in days. None without TLS.
    pub(crate) certificate: Option<Result<f64, Missing>>,
    /// The distance of the server's clock from ours, in seconds.
    pub(crate) clock: Result<f64, Missing>,
    /// Read once for all servers.
    pub(crate) keys: Option<Result<KeySample, Missing>>,
    /// Read once for all servers. None unless the master was found by sentinels.
    pub(crate) sentinels: Option<Vec<Sentinel>>,
}

/// An entry of the slow log, without the arguments of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlowCommand {
    pub(crate) age: Duration,
    pub(crate) took: Duration,
    pub(crate) name: String,
}

/// A kind of events that the latency monitor has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatencyEvent {
    pub(crate) name: String,
    pub(crate) longest: Duration,
}

/// The name of a user that does not exist.
#[derive(Clone, Debug)]
pub(crate) struct NoUser(pub(crate) String);

impl NoUser {
    pub(crate) fn text(&self) -> String {
        format!("there is no user '{}'", self.0)
    }
}

/// The ACL user of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(super) excess: Excess,
    pub(crate) needs_no_password: bool,
}

/// A command that larder uses, and whether the user may run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) need: &'static Need,
    pub(crate) is_granted: bool,
}

/// A command that larder uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// The command with its arguments; `KEY` and `CHANNEL` stand for those of the app.
    pub(crate) command: &'static [&'static str],
    /// What does not work without it.
    pub(crate) feature: &'static str,
    /// Whether nothing works without it.
    pub(crate) is_vital: bool,
}

/// Some of the app's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySample {
    pub(crate) keys: usize,
    pub(crate) without_ttl: usize,
    /// The size of the largest, in bytes. None if it may not be read.
    pub(crate) largest: Option<u64>,
    /// The highest counter of uses. None unless the server counts them, for an lfu policy.
    pub(crate) hottest: Option<u64>,
    /// Why the first counter that was not read is unknown. None if all were read.
    pub(crate) uses_missing: Option<Missing>,
}

/// The reply of a sentinel.
#[derive(Clone, Debug)]
pub(crate) struct Sentinel {
    pub(crate) location: String,
    /// Whether it answered like a sentinel at all.
    pub(crate) answers: bool,
    pub(crate) has_quorum: Result<bool, Missing>,
    pub(crate) down_after: Result<Duration, Missing>,
}

impl Facts {
    pub(crate) fn info(&self) -> Result<&Fields, Missing> {
        self.info.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn config(&self) -> Result<&Fields, Missing> {
        self.config.as_ref().map_err(Clone::clone)
    }

    /// Returns whether the server counts the uses of each key.
    pub(crate) fn counts_uses(&self) -> bool {
        let policy = self.info.as_ref().ok();
        let policy = policy.and_then(|info| info.find("maxmemory_policy"));
        policy.is_some_and(|policy| policy.ends_with("-lfu"))
    }

    /// Returns a counter, and how much of it is from the last interval.
    pub(crate) fn counter(&self, name: &str) -> Result<(f64, f64), Missing> {
        self.rise(|info| info.number(name))
    }

    /// Returns the number of errors of a kind, and how many of them are from the last interval.
    pub(crate) fn errors(&self, kind: &str) -> Result<(f64, f64), Missing> {
        // A server lists an error once it has occurred.
        self.rise(|info| Ok(info.count(&format!("errorstat_{kind}"), "count")))
    }

    fn rise(&self, read: impl Fn(&Fields) -> Result<f64, Missing>) -> Result<(f64, f64), Missing> {
        let before = read(self.info()?)?;
        let after = self.later.as_ref().map(read).transpose()?;
        let after = after.unwrap_or(before);
        // After `CONFIG RESETSTAT` or a failover, the counters start again.
        Ok((after, (after - before).max(0.0)))
    }

    /// Returns the time for which the server has been up, in hours.
    pub(crate) fn hours(&self) -> Result<f64, Missing> {
        Ok(self.info()?.number("uptime_in_seconds")?.max(1.0) / 3600.0)
    }
}
