use std::collections::HashMap;
use std::sync::Arc;

use super::nodes::Nodes;
use super::slot::SLOTS;
use super::topology::Topology;
use crate::connection::HostPort;
use crate::node::SupervisedNode;

/// The first and the last slot of each run of slots.
pub(crate) type Runs = Vec<(u16, u16)>;

/// The master of each slot.
pub(super) struct SlotMap {
    /// The index of each slot's master in `masters`, or [`NOBODY`].
    slots: Box<[u16]>,
    masters: Vec<Arc<SupervisedNode>>,
    topology: Topology,
}

const NOBODY: u16 = u16::MAX;

impl SlotMap {
    pub(super) fn new(topology: Topology, nodes: &Nodes) -> Self {
        let mut slots = vec![NOBODY; usize::from(SLOTS)].into_boxed_slice();
        let mut masters = Vec::new();
        let mut seen: HashMap<&HostPort, u16> = HashMap::new();
        for range in topology.ranges() {
            let at = match seen.get(&range.master) {
                Some(at) => *at,
                None => {
                    let (Some(master), Ok(at)) =
                        (nodes.at(&range.master), u16::try_from(masters.len()))
                    else {
                        continue;
                    };
                    masters.push(master);
                    seen.insert(&range.master, at);
                    at
                }
            };
            let served = usize::from(range.first)..=usize::from(range.last);
            if let Some(served) = slots.get_mut(served) {
                served.fill(at);
            }
        }
        Self {
            slots,
            masters,
            topology,
        }
    }

    /// Returns the master of a slot, if there is one.
    pub(super) fn master(&self, slot: u16) -> Option<&Arc<SupervisedNode>> {
        let at = *self.slots.get(usize::from(slot))?;
        self.masters.get(usize::from(at))
    }

    pub(super) fn masters(&self) -> &[Arc<SupervisedNode>] {
        &self.masters
    }

    /// Returns each master, and the addresses of its replicas.
    pub(super) fn shards(&self) -> Vec<(Arc<SupervisedNode>, Vec<HostPort>)> {
        let masters = self.masters.iter().cloned();
        let mut shards: Vec<(_, Vec<HostPort>)> = masters.map(|it| (it, Vec::new())).collect();
        for range in self.topology.ranges() {
            let at = self.slots.get(usize::from(range.first));
            let Some((_, replicas)) = at.and_then(|&at| shards.get_mut(usize::from(at))) else {
                continue;
            };
            for host_port in &range.replicas {
                if !replicas.contains(host_port) {
                    replicas.push(host_port.clone());
                }
            }
        }
        shards
    }

    /// Returns each master, and the first and last slot of each run that it serves.
    pub(super) fn runs(&self) -> Vec<(Arc<SupervisedNode>, Runs)> {
        let masters = self.masters.iter().cloned();
        let mut runs: Vec<(_, Runs)> = masters.map(|it| (it, Vec::new())).collect();
        for (slot, at) in (0_u16..).zip(&self.slots) {
            let Some((_, runs)) = runs.get_mut(usize::from(*at)) else {
                continue;
            };
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => runs.push((slot, slot)),
            }
        }
        runs
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }
}
