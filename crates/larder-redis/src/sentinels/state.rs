use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::reply::SentinelReply;
use crate::agreement::Agreement;
use crate::connection::{ConnectError, Health, HostPort};

/// The time that a selected replica is tried, since a failover may be abandoned.
const CANDIDATE_TTL: Duration = Duration::from_secs(5);

/// The reports of the sentinels, and the resulting master.
pub(super) struct SentinelState {
    pub(super) name: String,
    known: Mutex<Known>,
    /// The master. None until a sentinel names one.
    elected: watch::Sender<Option<HostPort>>,
    /// The connections in use, which are closed when another master is elected.
    connections: Mutex<Vec<Weak<Health>>>,
}

struct Known {
    /// The last reply of each sentinel.
    replies: Vec<SentinelReply>,
    newest: Option<Configuration>,
    /// Where all sentinels say that the master is, under an older configuration: sentinels that were set
    /// up again count from the beginning.
    older: Agreement<HostPort>,
    candidate: Option<Candidate>,
}

/// The newest configuration that any sentinel ever named. It stays if a sentinel fails, or names an
/// older one: the server of the older one may still take writes that would be lost.
struct Configuration {
    epoch: u64,
    host_port: HostPort,
    /// The sentinel that named it.
    by: usize,
}

/// A replica that a sentinel has begun to make the master.
struct Candidate {
    host_port: HostPort,
    /// The configuration before.
    epoch: u64,
    until: Instant,
}

impl Known {
    fn new(sentinels: usize) -> Self {
        Self {
            replies: vec![SentinelReply::None; sentinels],
            newest: None,
            older: Agreement::none(),
            candidate: None,
        }
    }

    fn record(&mut self, by: usize, reply: SentinelReply) {
        if let SentinelReply::Master { host_port, epoch } = &reply {
            let is_newer = self.newest.as_ref().is_none_or(|newest| {
                // Of two places with the same epoch, the one that was named first counts, unless
                // the sentinel that named it changes its answer.
                *epoch > newest.epoch || (*epoch == newest.epoch && by == newest.by)
            });
            if is_newer {
                self.newest = Some(Configuration {
                    epoch: *epoch,
                    host_port: host_port.clone(),
                    by,
                });
            }
        }
        if let Some(said) = self.replies.get_mut(by) {
            *said = reply;
        }
        self.forget_what_all_forgot();
    }

    fn forget_what_all_forgot(&mut self) {
        let older = self.older_of_all();
        let said = older.as_ref().map(|older| older.host_port.clone());
        if self.older.note(said) {
            self.newest = older;
        }
    }

    /// Returns the configuration that all sentinels name, if it is older than the newest.
    fn older_of_all(&self) -> Option<Configuration> {
        let newest = self.newest.as_ref()?.epoch;
        let mut all: Option<Configuration> = None;
        for (by, reply) in self.replies.iter().enumerate() {
            let SentinelReply::Master { host_port, epoch } = reply else {
                return None;
            };
            let (host_port, epoch) = (host_port.clone(), *epoch);
            match &mut all {
                _ if epoch >= newest => return None,
                Some(all) if all.host_port != host_port => return None,
                Some(all) if all.epoch >= epoch => {}
                _ => {
                    all = Some(Configuration {
                        epoch,
                        host_port,
                        by,
                    })
                }
            }
        }
        all
    }

    fn epoch(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.epoch)
    }
}

impl SentinelState {
    pub(super) fn new(name: String, sentinels: usize) -> Self {
        Self {
            name,
            known: Mutex::new(Known::new(sentinels)),
            elected: watch::Sender::new(None),
            connections: Mutex::default(),
        }
    }

    /// Records the reply of sentinel `at`.
    pub(super) fn record(&self, at: usize, reply: SentinelReply) {
        let mut known = self.known.lock();
        known.record(at, reply);
        self.elect(&known);
    }

    /// Records that a sentinel has selected the replica at `host_port`.
    pub(super) fn set_candidate(&self, host_port: HostPort) {
        let mut known = self.known.lock();
        known.candidate = Some(Candidate {
            host_port,
            epoch: known.epoch(),
            until: Instant::now() + CANDIDATE_TTL,
        });
        self.elect(&known);
    }

    /// Follows the elected master.
    pub(super) fn follow(&self) -> watch::Receiver<Option<HostPort>> {
        self.elected.subscribe()
    }

    /// Closes the connection with this health when another master is elected.
    pub(super) fn close_on_failover(&self, connection: &Arc<Health>) {
        let mut connections = self.connections.lock();
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(connection));
    }

    /// Returns the reason why no master is known.
    pub(super) fn no_master(&self) -> ConnectError {
        let known = self.known.lock();
        if known.replies.contains(&SentinelReply::NoSuchMaster) {
            return ConnectError::NoSuchMaster;
        }
        let denied = known.replies.iter().find_map(|reply| match reply {
            SentinelReply::Denied(why) => Some(*why),
            _ => None,
        });
        if let Some(why) = denied {
            return ConnectError::SentinelDenied(why.to_owned());
        }
        let failed = known.replies.iter().find_map(|reply| match reply {
            SentinelReply::Failed(why) => Some(why.clone()),
            _ => None,
        });
        ConnectError::NoSentinel(failed.unwrap_or_else(|| "none answered in time".to_owned()))
    }

    fn elect(&self, known: &Known) {
        let Some(newest) = &known.newest else {
            return;
        };
        let host_port = match &known.candidate {
            Some(candidate)
                if newest.epoch <= candidate.epoch && Instant::now() < candidate.until =>
            {
                &candidate.host_port
            }
            _ => &newest.host_port,
        };
        let changed = self.elected.send_if_modified(|elected| {
            let changed = elected.as_ref() != Some(host_port);
            if changed {
                *elected = Some(host_port.clone());
            }
            changed
        });
        if changed {
            let connections = std::mem::take(&mut *self.connections.lock());
            let connections = connections.iter().filter_map(Weak::upgrade);
            connections.for_each(|connection| connection.dropped());
        }
    }
}

#[cfg(test)]
mod tests;
