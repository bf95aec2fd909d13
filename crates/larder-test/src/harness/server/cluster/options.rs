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
    /// With a port, [`start`](Self::start) fails: each node needs its own.
    #[must_use]
    pub fn with_nodes(mut self, nodes: RedisOptions) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets `cluster-node-timeout`: how long a node may be silent before it counts as failed.
    ///
    /// A failover takes about three times as long. With a short timeout on a busy machine, healthy nodes may
    /// be replaced.
    #[must_use]
    pub fn with_node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Puts a [`FaultProxy`](crate::harness::proxy::FaultProxy) in front of every node.
    ///
    /// It listens at 127.0.0.2, on the port of the node.
    ///
    /// The URLs name the proxies, and so do `MOVED`, `ASK`, `CLUSTER SLOTS` and `CLUSTER SHARDS`, so that
    /// clients always go through them. The nodes among themselves and the harness bypass them.
    /// [`RedisCluster::proxy_of`] returns the proxy of a node.
    ///
    /// It needs Redis 7, and a system on which all of 127.0.0.0/8 is local. Linux is one; on macOS run
    /// `ifconfig lo0 alias 127.0.0.2` first.
    #[must_use]
    pub fn with_proxies(mut self) -> Self {
        self.has_proxies = true;
        self
    }

    /// Starts the cluster, and returns once it is ready.
    ///
    /// That takes a little more than two seconds, because a new master waits that long before it accepts
    /// writes.
    ///
    /// # Errors
    ///
    /// If a node or a proxy does not start, the options of the nodes have a port, or the cluster is not ready
    /// within twenty seconds.
    pub fn start(self) -> Result<RedisCluster, StartError> {
        RedisCluster::start_with(self)
    }
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self::new()
    }
}
