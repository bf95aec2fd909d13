//! The current role of each node, as the nodes report it.

use std::collections::BTreeSet;
use std::io;

use super::RedisCluster;
use super::slot::{SLOTS, out_of_range, slot_of};
use super::view::View;
use crate::harness::server::node::RedisNode;

impl RedisCluster {
    /// Returns the node that serves the slot of `key` now.
    ///
    /// # Errors
    ///
    /// When no running node knows one.
    pub fn master_of(&self, key: impl AsRef<[u8]>) -> io::Result<&RedisNode> {
        self.master_of_slot(slot_of(key))
    }

    /// Returns the node that serves this slot now, as the best informed node reports.
    ///
    /// It may be one that was killed or frozen a moment ago.
    ///
    /// # Errors
    ///
    /// When no running node knows one.
    pub fn master_of_slot(&self, slot: u16) -> io::Result<&RedisNode> {
        let owners = self.owners();
        let Some(owner) = owners.get(usize::from(slot)) else {
            return Err(out_of_range(slot));
        };
        let node = self.nodes.iter().find(|node| Some(node.port()) == *owner);
        node.ok_or_else(|| io::Error::other(format!("no running node knows who has slot {slot}")))
    }

    /// Returns the nodes that serve slots now. None if no node runs.
    pub fn masters(&self) -> Vec<&RedisNode> {
        let owners: BTreeSet<_> = self.owners().into_iter().flatten().collect();
        let nodes = self.nodes.iter();
        nodes.filter(|node| owners.contains(&node.port())).collect()
    }

    /// Returns the running nodes that follow `master`.
    pub fn replicas_of(&self, master: &RedisNode) -> Vec<&RedisNode> {
        let follows = |node: &&RedisNode| {
            let view = View::of(node).ok();
            view.is_some_and(|view| view.followed_by_me() == Some(master.port()))
        };
        let running = self.nodes.iter().filter(|node| node.is_running());
        running.filter(follows).collect()
    }

    /// Returns the port of the master of each slot. Where the running nodes differ, the claim with
    /// the highest epoch holds, as it does among them.
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
