//! How a cluster is started.

use std::time::Duration;

use super::RedisCluster;
use crate::server::error::StartError;
use crate::server::options::RedisOptions;

/// How a [`RedisCluster`] is started: by default with a node timeout of 500 ms, and with nodes as
/// [`RedisOptions`] has them.
#[derive(Clone)]
pub struct ClusterOptions {
    pub(super) nodes: RedisOptions,
    pub(super) node_timeout: Duration,
}

impl ClusterOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            nodes: RedisOptions::new(),
            node_timeout: Duration::from_millis(500),
        }
    }

    /// Starts every node with these: a program, a password, users, settings. A port or TLS is
    /// refused at the start.
    #[must_use]
    pub fn with_nodes(mut self, nodes: RedisOptions) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets how long a node may be silent before it is held to have failed (`cluster-node-timeout`).
    ///
    /// A failover takes some three times as long. On a machine that is busy with other things a
    /// short one lets healthy nodes be replaced.
    #[must_use]
    pub fn with_node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Starts the cluster, and returns it once every node serves and every replica has its
    /// master's data. That takes a little more than the two seconds that a new master waits before
    /// it takes writes.
    ///
    /// # Errors
    ///
    /// When a node does not start, or the cluster is not ready within twenty seconds.
    pub fn start(self) -> Result<RedisCluster, StartError> {
        RedisCluster::start_with(self)
    }
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self::new()
    }
}
