use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::topology::Topology;
use crate::connection::{Address, HostPort};
use crate::node::{Limits, Node, SupervisedNode};
use crate::source::Target;

/// Limits the nodes that a store keeps connections to. The specification recommends at most 1,000.
const MOST: usize = 2_000;

/// The nodes of a cluster in use, each with its own connection and supervisor.
///
/// A node that stays in the cluster keeps its connection and its pending operations. One that has left
/// ends with the last operation on it.
pub(super) struct Nodes {
    /// The login for every host.
    template: Address,
    limits: Limits,
    /// The runtime of the store: tasks begun in another one would end with that.
    runtime: Handle,
    /// Notified when a connection is lost.
    alarm: Arc<Notify>,
    known: Mutex<HashMap<HostPort, Known>>,
}

struct Known {
    node: Arc<SupervisedNode>,
    /// Whether an operation was sent there since the last read of the slots. A node to which a slot moves is in no
    /// map before its first slot has arrived.
    is_asked: bool,
}

impl Nodes {
    pub(super) fn new(template: Address, limits: Limits, alarm: Arc<Notify>) -> Self {
        Self {
            template,
            limits,
            runtime: Handle::current(),
            alarm,
            known: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the node at `host_port`, and dials it if it is new.
    ///
    /// Operations wait for its connection.
    ///
    /// Returns None if there are too many nodes.
    pub(super) fn at(&self, host_port: &HostPort) -> Option<Arc<SupervisedNode>> {
        let mut known = self.known.lock();
        if let Some(known) = known.get_mut(host_port) {
            known.is_asked = true;
            return Some(known.node.clone());
        }
        if known.len() >= MOST {
            return None;
        }
        let node = Arc::new(self.dial(host_port));
        let added = Known {
            node: node.clone(),
            is_asked: true,
        };
        known.insert(host_port.clone(), added);
        Some(node)
    }

    fn dial(&self, host_port: &HostPort) -> SupervisedNode {
        let node = self.node(host_port);
        let node = node.in_cluster(host_port.host.clone(), self.alarm.clone());
        let _entered = self.runtime.enter();
        SupervisedNode::new(Arc::new(node))
    }

    /// Returns an unsupervised node.
    pub(super) fn node(&self, host_port: &HostPort) -> Node {
        Node::at(host_port, &self.template, self.limits, Target::Fixed)
    }

    /// Drops nodes that `topology` does not name and that got no recent redirects.
    pub(super) fn retain(&self, topology: &Topology) {
        let keep = |host_port: &HostPort, known: &mut Known| {
            std::mem::take(&mut known.is_asked) || topology.names(host_port)
        };
        self.known
            .lock()
            .retain(|host_port, known| keep(host_port, known));
    }

    /// Returns all of them, in no order.
    pub(super) fn all(&self) -> Vec<(HostPort, Arc<SupervisedNode>)> {
        let known = self.known.lock();
        let each = known.iter();
        each.map(|(host_port, known)| (host_port.clone(), known.node.clone()))
            .collect()
    }
}
