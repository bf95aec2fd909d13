//! The options of a cluster.

use std::time::Duration;

use super::RedisCluster;
use crate::harness::server::error::StartError;
use crate::harness::server::options::RedisOptions;

/// The options of a [`RedisCluster`].
///
/// Defaults: a node timeout of 500 ms, and the defaults of [`RedisOptions`] for each node.
#[derive(Clone)]
pub struct ClusterOptions {
    pub(super) nodes: RedisOptions,
    pub(super) node_timeout: Duration,
    pub(super) has_proxies: bool,
}

impl ClusterOptions {
    /// Makes the default options.
    pub fn new() -> Self {
        Self {
            nodes: RedisOptions::new(),
            node_timeout: Duration::from_millis(500),
            has_proxies: false,
        }
    }

    /// Starts every node with these options.
    ///
    /// A port is refused at the start.
    #[must_use]
    pub fn with_nodes(mut self, nodes: RedisOptions) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets `cluster-node-timeout`: the silence after which a node counts as failed.
    ///
    /// A failover takes some three times as long. On a machine that is busy with other things a
    /// short one lets healthy nodes be replaced.
    #[must_use]
    pub fn with_node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Puts a [`FaultProxy`](crate::harness::proxy::FaultProxy) in front of every node.
    ///
    /// It listens at 127.0.0.2 and the port of the node.
    ///
    /// The URLs name the proxies, and so do `MOVED`, `ASK`, `CLUSTER SLOTS` and `CLUSTER SHARDS`:
    /// clients stay behind them wherever they are sent. The nodes among themselves and the harness
    /// go past them. [`RedisCluster::proxy_of`] is the proxy of a node.
    ///
    /// It takes Redis 7, and a system where all of 127.0.0.0/8 is local: Linux is one; macOS wants
    /// `ifconfig lo0 alias 127.0.0.2` before.
    #[must_use]
    pub fn with_proxies(mut self) -> Self {
        self.has_proxies = true;
        self
    }

    /// Starts the cluster, and returns once it is ready.
    ///
    /// That takes a little more than the two seconds that a new master waits before it takes
    /// writes.
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
