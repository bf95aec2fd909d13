//! A Redis Cluster of six nodes.

mod create;
mod failover;
mod migrate;
mod options;
mod ready;
mod roles;
mod slot;
mod view;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use super::error::StartError;
use super::node::RedisNode;
use super::options::Mode;
use super::polling::until;
use super::side_by_side::start_together;
use super::url;
use crate::harness::proxy::FaultProxy;

pub use migrate::SlotMove;
pub use options::ClusterOptions;
pub use slot::slot_of;

pub(super) use failover::takes_writes;

const MASTERS: usize = 3;
const NODES: usize = 2 * MASTERS;

/// The address of the proxies. Each uses the port of its node.
///
/// Because the address differs, the nodes can send clients to the proxies by host name, while replicas
/// connect to their masters by IP address and bypass the proxies.
const PROXIED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A real Redis Cluster of three masters with one replica each.
///
/// Dropping it ends the servers.
///
/// `start` returns once every node reports that the cluster works, all nodes agree on the owners of the
/// slots, and every replica has the data of its master. Roles change with failovers, so ask for the
/// current ones: [`master_of`](Self::master_of).
///
/// All methods take `&self`, so all tests of a binary can share one cluster in a `LazyLock`. Its servers
/// then end with the process.
///
/// # Examples
///
/// ```no_run
/// use larder_test::server::RedisCluster;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = RedisCluster::start()?;
/// println!("a client connects to {}", cluster.url());
/// let old = cluster.master_of("seat")?;
/// old.kill();
/// let new = cluster.wait_for_failover("seat", old)?;
/// println!("the slot of that key moved to {}", new.address());
/// # Ok(())
/// # }
/// ```
pub struct RedisCluster {
    nodes: Vec<RedisNode>,
    /// One for each node, or none.
    proxies: Vec<FaultProxy>,
}

impl RedisCluster {
    /// Starts a cluster with the default [`ClusterOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`ClusterOptions::start`].
    pub fn start() -> Result<Self, StartError> {
        ClusterOptions::new().start()
    }

    fn start_with(options: ClusterOptions) -> Result<Self, StartError> {
        let mut nodes = options.nodes.in_company()?;
        nodes.mode = Mode::ClusterNode;
        let timeout = options.node_timeout.as_millis().to_string();
        // The settings of the test come last, so that they override these.
        nodes.settings.splice(
            0..0,
            [
                ("cluster-enabled", "yes"),
                ("cluster-node-timeout", timeout.as_str()),
                // A replica stays with its master, even if another master has lost its replica.
                ("cluster-migration-barrier", "100"),
                // Nodes name a replica to clients only after its master has sent it something: without
                // writes, that is this ping.
                ("repl-ping-replica-period", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let mut proxies = Vec::new();
        if options.has_proxies {
            let announce = [
                ("cluster-announce-hostname", PROXIED.to_string()),
                ("cluster-preferred-endpoint-type", "hostname".to_owned()),
            ];
            let announce = announce.map(|(name, value)| (name.to_owned(), value));
            nodes.settings.extend(announce);
        }
        let nodes = start_together(&vec![nodes; NODES])?;
        if options.has_proxies {
            let proxy = |node: &RedisNode| {
                FaultProxy::start_at((PROXIED, node.port()).into(), node.address())
            };
            let started: io::Result<_> = nodes.iter().map(proxy).collect();
            proxies = started.map_err(StartError::system("starting a proxy at 127.0.0.2"))?;
        }
        let cluster = Self { nodes, proxies };
        create::form(&cluster.nodes).map_err(StartError::not_ready)?;
        cluster.wait_until_ready().map_err(StartError::not_ready)?;
        Ok(cluster)
    }

    /// Returns the URL of the cluster, with one node of each shard.
    ///
    /// It is `redis+cluster://127.0.0.1:…,127.0.0.1:…,127.0.0.1:…`, with the password if there is one; with
    /// TLS `rediss+cluster://…`; with proxies it has their address.
    pub fn url(&self) -> String {
        self.url_for(None)
    }

    /// Returns the URL of the cluster for an ACL user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url_for(Some((user, password)))
    }

    fn url_for(&self, user: Option<(&str, &str)>) -> String {
        let options = &self.nodes[0].options;
        let (scheme, who) = (url::scheme(options), url::credentials(options, user));
        let seeds = url::hosts(&self.public_addresses()[..MASTERS]);
        format!("{scheme}+cluster://{who}{seeds}")
    }

    /// Returns the URL of each node: `redis://127.0.0.1:…`, or with TLS `rediss://127.0.0.1:…`.
    pub fn urls(&self) -> Vec<String> {
        let options = &self.nodes[0].options;
        let (scheme, who) = (url::scheme(options), url::credentials(options, None));
        let addresses = self.public_addresses().into_iter();
        addresses
            .map(|it| format!("{scheme}://{who}{it}"))
            .collect()
    }

    /// Returns the six nodes, always in the same order.
    ///
    /// At the start the first three are the masters, and the other three are their replicas in the same order.
    pub fn nodes(&self) -> &[RedisNode] {
        &self.nodes
    }

    /// Returns the proxy of a node. `None` without [`ClusterOptions::with_proxies`].
    pub fn proxy_of(&self, node: &RedisNode) -> Option<&FaultProxy> {
        let place = self.nodes.iter().position(|it| it.port() == node.port())?;
        self.proxies.get(place)
    }

    /// Returns the proxies in the order of the nodes. Empty without [`ClusterOptions::with_proxies`].
    pub fn proxies(&self) -> &[FaultProxy] {
        &self.proxies
    }

    /// Returns the addresses that clients use for the nodes.
    fn public_addresses(&self) -> Vec<SocketAddr> {
        if self.proxies.is_empty() {
            self.nodes.iter().map(RedisNode::address).collect()
        } else {
            self.proxies.iter().map(FaultProxy::address).collect()
        }
    }

    /// Waits until the cluster works again, such as after a restart.
    ///
    /// Every node that was not killed then works, all agree on the owners of the slots, and every replica has
    /// the data of its master.
    ///
    /// # Errors
    ///
    /// If it takes more than twenty seconds. The error says what was missing. A frozen node counts as missing.
    pub fn wait_until_ready(&self) -> io::Result<()> {
        until("a ready cluster", || ready::missing(&self.nodes))
    }
}

impl fmt::Debug for RedisCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}
