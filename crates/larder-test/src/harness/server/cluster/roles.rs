//! The current role of each node, as the nodes report it.

use std::collections::BTreeSet;
use std::io;

use super::RedisCluster;
use super::slot::{SLOTS, out_of_range, slot_of};
use super::view::View;
use crate::harness::server::node::RedisNode;

impl RedisCluster {
    /// Returns the node that now serves the slot of `key`.
    ///
    /// # Errors
    ///
    /// If no running node knows one.
    pub fn master_of(&self, key: impl AsRef<[u8]>) -> io::Result<&RedisNode> {
        self.master_of_slot(slot_of(key))
    }

    /// Returns the node that now serves this slot, by the newest information of any node.
    ///
    /// It may be one that was killed or frozen a moment ago.
    ///
    /// # Errors
    ///
    /// If there is no such slot, or no running node knows its master.
    pub fn master_of_slot(&self, slot: u16) -> io::Result<&RedisNode> {
        let owners = self.owners();
        let Some(owner) = owners.get(usize::from(slot)) else {
            return Err(out_of_range(slot));
        };
        let node = self.nodes.iter().find(|node| Some(node.port()) == *owner);
        node.ok_or_else(|| io::Error::other(format!("no running node knows who has slot {slot}")))
    }

    /// Returns the nodes that now serve slots. Empty if no node runs.
    pub fn masters(&self) -> Vec<&RedisNode> {
        let owners: BTreeSet<_> = self.owners().into_iter().flatten().collect();
        let nodes = self.nodes.iter();
        nodes.filter(|node| owners.contains(&node.port())).collect()
    }

    /// Returns the running replicas of `master`.
    pub fn replicas_of(&self, master: &RedisNode) -> Vec<&RedisNode> {
        let follows = |node: &&RedisNode| {
            let view = View::of(node).ok();
            view.is_some_and(|view| view.followed_by_me() == Some(master.port()))
        };
        let running = self.nodes.iter().filter(|node| node.is_running());
        running.filter(follows).collect()
    }

    /// Returns the port of the master of each slot.
    ///
    /// If the running nodes disagree, the one with the highest epoch is right, as in the cluster itself.
    fn owners(&self) -> Vec<Option<u16>> {
        let running = self.nodes.iter().filter(|node| node.is_running());
        let views = running.filter_map(|node| View::of(node).ok());
        let mut peers: Vec<_> = views.flat_map(|view| view.peers.into_values()).collect();
        peers.sort_by_key(|peer| peer.epoch);
        let mut owners = vec![None; usize::from(SLOTS)];
        for peer in &peers {
            for range in &peer.slots {
                let (first, last) = (usize::from(*range.start()), usize::from(*range.end()));
                // An invalid range is ignored.
                if let Some(claimed) = owners.get_mut(first..=last) {
                    claimed.fill(Some(peer.port));
                }
            }
        }
        owners
    }
}
