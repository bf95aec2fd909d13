//! The options of servers with sentinels.

use std::time::Duration;

use super::RedisSentinels;
use crate::harness::server::error::StartError;
use crate::harness::server::options::RedisOptions;

/// The options of [`RedisSentinels`].
///
/// Defaults: the master is called `mymaster`, and counts as down after 1 s without an answer. A failed
/// failover is tried again after 6 s.
#[derive(Clone)]
pub struct SentinelOptions {
    pub(super) servers: RedisOptions,
    pub(super) name: String,
    pub(super) down_after: Duration,
    pub(super) failover_timeout: Duration,
}

impl SentinelOptions {
    /// Makes the default options.
    pub fn new() -> Self {
        Self {
            servers: RedisOptions::new(),
            name: "mymaster".to_owned(),
            down_after: Duration::from_secs(1),
            failover_timeout: Duration::from_secs(3),
        }
    }

    /// Starts the master and its replicas with these options.
    ///
    /// The sentinels use only the program and the TLS options. With a port, [`start`](Self::start) fails.
    #[must_use]
    pub fn with_servers(mut self, servers: RedisOptions) -> Self {
        self.servers = servers;
        self
    }

    /// Sets the sentinels' name for the master: letters, digits and `.-_`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets `down-after-milliseconds`: how long a server may be silent before it counts as down.
    #[must_use]
    pub fn with_down_after(mut self, down_after: Duration) -> Self {
        self.down_after = down_after;
        self
    }

    /// Sets `failover-timeout`. Default: 3 s.
    ///
    /// A failed failover is tried again after twice that time.
    #[must_use]
    pub fn with_failover_timeout(mut self, timeout: Duration) -> Self {
        self.failover_timeout = timeout;
        self
    }

    /// Starts the servers and the sentinels, and returns once they are ready.
    ///
    /// # Errors
    ///
    /// If one does not start, the options of the servers have a port, or they are not ready within twenty
    /// seconds.
    pub fn start(self) -> Result<RedisSentinels, StartError> {
        RedisSentinels::start_with(self)
    }
}

impl Default for SentinelOptions {
    fn default() -> Self {
        Self::new()
    }
}
