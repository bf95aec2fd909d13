//! Redis Cluster and Valkey Cluster: a router over [`Node`](crate::node::Node)s.
//!
//! 1. The slot of a key is the checksum of its hash tag ([`slot`]).
//! 2. The map says which node serves a slot. It is swapped as a whole, and only when it changed;
//!    nodes that stay keep their connections ([`nodes`]).
//! 3. Each node has its own connection, deadline, cap and supervisor, so a dead node does not
//!    affect the others.
//! 4. A node that does not serve a key names the one that does, if there is one. The operation goes
//!    there within its deadline, because nothing ran ([`redirect`], [`follow`]).
//! 5. The map is read again when a node has redirected an operation, while a master is lost, and
//!    periodically ([`refresh`]).
//!
//! See docs/decisions/cluster-routing-is-ours.md for why the client library's cluster is not used.

mod batch;
mod connect;
mod discover;
mod fewer;
mod follow;
mod map;
mod nodes;
mod redirect;
mod refresh;
mod slot;
mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use larder_store::Result;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::connection::HostPort;
use crate::node::{Limits, SupervisedNode};
use crate::operation::{Operation, Request};
use map::{Runs, SlotMap};
use nodes::Nodes;
use topology::Topology;

pub(crate) use batch::Split;
pub(crate) use connect::connect;
pub(crate) use follow::RedirectState;
pub(crate) use slot::slot_of;

/// The nodes of a cluster and the slots that they serve.
pub(crate) struct Cluster {
    shared: Arc<Shared>,
    refresher: AbortHandle,
}

/// The state that operations and the refresher share.
struct Shared {
    location: Arc<str>,
    map: ArcSwap<SlotMap>,
    nodes: Nodes,
    seeds: Vec<HostPort>,
    /// Notified when the map is outdated, or a connection was lost.
    wanted: Arc<Notify>,
    /// The end of the time in which the cluster is watched closely, in milliseconds after `epoch`.
    troubled_until: AtomicU64,
    epoch: Instant,
    /// Counts the maps whose masters differ from those before.
    generation: watch::Sender<u64>,
}

/// The time for which a failed operation makes the refresher read the map often.
///
/// A failover in progress ends within that time, or the next operation fails too.
const TROUBLE: Duration = Duration::from_secs(3);

impl Cluster {
    /// Begins an operation on the master of a key's slot.
    pub(crate) fn begin(
        &self,
        key: &[u8],
        request: Request,
    ) -> Result<(Operation<'static>, Shard<'_>)> {
        let slot = slot::slot_of(key);
        let shard = Shard {
            cluster: self,
            slot,
        };
        let master = self.shared.master(request.name, slot)?;
        Ok((master.begin_shared(request)?, shard))
    }

    /// Begins an operation without a key, which any node can run.
    ///
    /// Operations of one `name` run on one node, and so in their order: on the master of its slot,
    /// or, while that is down, on the first that has a connection.
    pub(crate) fn begin_anywhere(
        &self,
        name: &[u8],
        request: Request,
    ) -> Result<(Operation<'static>, Shard<'_>)> {
        let slot = slot::slot_of(name);
        let map = self.shared.map.load();
        if map.master(slot).is_none_or(|master| master.is_down())
            && let Some(master) = map.masters().iter().find(|master| master.is_up())
        {
            let shard = Shard {
                cluster: self,
                slot,
            };
            return Ok((master.begin_shared(request)?, shard));
        }
        self.begin(name, request)
    }

    pub(crate) fn location(&self) -> &str {
        &self.shared.location
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.shared.nodes.limits()
    }

    /// Returns the nodes that serve slots.
    pub(crate) fn serving(&self) -> Vec<Arc<SupervisedNode>> {
        self.shared.map.load().masters().to_vec()
    }

    /// Returns the nodes that serve slots, and the runs of slots of each.
    pub(crate) fn slots(&self) -> Vec<(Arc<SupervisedNode>, Runs)> {
        self.shared.map.load().runs()
    }

    /// Records that a node reported another place for a slot.
    pub(crate) fn note_outdated(&self) {
        self.shared.note_outdated();
    }

    /// Returns a view of the slots that outlives a call.
    pub(crate) fn view(&self) -> ClusterView {
        ClusterView(self.shared.clone())
    }
}

/// A shared view of the slots and their masters.
#[derive(Clone)]
pub(crate) struct ClusterView(Arc<Shared>);

impl ClusterView {
    /// Returns the master of the slot of `key`, if there is one.
    pub(crate) fn master_of(&self, key: &[u8]) -> Option<Arc<SupervisedNode>> {
        self.0.map.load().master(slot::slot_of(key)).cloned()
    }

    /// [`master_of`](Self::master_of), or the error of operation `name` on a slot without one.
    pub(crate) fn serving(&self, name: &'static str, key: &[u8]) -> Result<Arc<SupervisedNode>> {
        self.0.master(name, slot::slot_of(key))
    }

    /// Returns a master with a connection; if none has one, any.
    pub(crate) fn any_master(&self) -> Option<Arc<SupervisedNode>> {
        let mut masters = self.masters();
        fastrand::shuffle(&mut masters);
        let up = masters.iter().position(|master| master.is_up());
        masters.into_iter().nth(up.unwrap_or(0))
    }

    pub(crate) fn masters(&self) -> Vec<Arc<SupervisedNode>> {
        self.0.map.load().masters().to_vec()
    }

    /// Returns whether a node serves slots now.
    pub(crate) fn serves(&self, node: &SupervisedNode) -> bool {
        let map = self.0.map.load();
        let mut masters = map.masters().iter();
        masters.any(|master| master.location() == node.location())
    }

    /// Returns each master, and the addresses of its replicas.
    pub(crate) fn shards(&self) -> Vec<(Arc<SupervisedNode>, Vec<HostPort>)> {
        self.0.map.load().shards()
    }

    /// Returns a receiver of the number of changes of masters.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Records that a node reported another place for a slot.
    pub(crate) fn note_outdated(&self) {
        self.0.note_outdated();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.refresher.abort();
    }
}

/// The slot of one operation in a cluster.
pub(crate) struct Shard<'a> {
    cluster: &'a Cluster,
    slot: u16,
}

impl Shared {
    fn master(&self, name: &'static str, slot: u16) -> Result<Arc<SupervisedNode>> {
        match self.map.load().master(slot) {
            Some(master) => Ok(master.clone()),
            None => {
                self.note_trouble();
                Err(redirect::unserved(name))
            }
        }
    }

    /// Notes that the map is out of date.
    fn note_outdated(&self) {
        self.wanted.notify_one();
    }

    /// Records that an operation failed in a way that a failover would explain.
    fn note_trouble(&self) {
        let now = self.now();
        let until = now + u64::try_from(TROUBLE.as_millis()).unwrap_or(u64::MAX);
        let before = self.troubled_until.fetch_max(until, Ordering::Relaxed);
        // Wakes the watcher only if it is not watching yet, because otherwise each failure would
        // wake it.
        if before <= now {
            self.wanted.notify_one();
        }
    }

    fn is_troubled(&self) -> bool {
        let until = self.troubled_until.load(Ordering::Relaxed);
        until > self.now() || self.map.load().masters().iter().any(|it| !it.is_up())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Uses `topology` from now on, if it differs from the current one.
    fn install(&self, topology: Topology) {
        let before = self.map.load();
        if topology != *before.topology() {
            let has_moved = !topology.has_masters_of(before.topology());
            self.map
                .store(Arc::new(SlotMap::new(topology, &self.nodes)));
            // Replicas come and go without a loss of messages.
            if has_moved {
                metrics::counter!("larder_redis_topology_changes_total").increment(1);
                tracing::info!(cluster = %self.location, "the slots of the cluster have moved");
                self.generation.send_modify(|generation| *generation += 1);
            }
        }
        self.nodes.retain(self.map.load().topology());
    }
}
