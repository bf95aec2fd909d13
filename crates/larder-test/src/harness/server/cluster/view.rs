//! A node's view of the cluster.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;

use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::GLANCE;
use crate::harness::server::resp::Reply;

/// One line of `CLUSTER NODES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) flags: Vec<String>,
    pub(super) master: Option<String>,
    pub(super) epoch: u64,
    pub(super) is_linked: bool,
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

impl Peer {
    pub(super) fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }

    /// Returns whether the reporting node can reach this one.
    pub(super) fn is_well(&self) -> bool {
        let doubts = ["fail", "fail?", "handshake", "noaddr"];
        self.is_linked && !doubts.iter().any(|flag| self.is(flag))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let id = words.next()?.to_owned();
        let address = words.next()?.split(['@', ',']).next()?;
        let port = address.rsplit_once(':')?.1.parse().ok()?;
        let flags = words.next()?.split(',').map(str::to_owned).collect();
        let master = words.next().filter(|&id| id != "-").map(str::to_owned);
        let epoch = words.nth(2)?.parse().ok()?;
        let is_linked = words.next()? == "connected";
        // A moving slot is listed in brackets too. It still belongs to its old master.
        let slots = words
            .filter(|word| !word.starts_with('['))
            .filter_map(|word| {
                let (first, last) = word.split_once('-').unwrap_or((word, word));
                Some(first.parse().ok()?..=last.parse().ok()?)
            })
            .collect();
        Some(Self {
            id,
            port,
            flags,
            master,
            epoch,
            is_linked,
            slots,
        })
    }
}

/// The cluster as one node sees it, by port.
#[derive(Debug)]
pub(super) struct View {
    pub(super) peers: BTreeMap<u16, Peer>,
}

impl View {
    /// Reads the view of `node`, with a short timeout.
    pub(super) fn of(node: &RedisNode) -> io::Result<Self> {
        let reply = node.connect_within(GLANCE)?.call(&["CLUSTER", "NODES"])?;
        let text = text(&reply)?;
        let peers = text.lines().filter_map(Peer::parse);
        Ok(Self {
            peers: peers.map(|peer| (peer.port, peer)).collect(),
        })
    }

    /// Returns the port of the master of the node itself, or `None` if it is a master.
    pub(super) fn followed_by_me(&self) -> Option<u16> {
        let me = self.peers.values().find(|peer| peer.is("myself"))?;
        let master = me.master.as_ref()?;
        let mut peers = self.peers.values();
        peers.find(|peer| peer.id == *master).map(|peer| peer.port)
    }

    /// Returns the owners of the slots, and their replicas, on which all nodes must agree.
    pub(super) fn roles(&self) -> Roles<'_> {
        let peers = self.peers.iter();
        peers
            .map(|(port, peer)| (*port, (peer.master.as_deref(), peer.slots.as_slice())))
            .collect()
    }
}

type Roles<'a> = BTreeMap<u16, (Option<&'a str>, &'a [RangeInclusive<u16>])>;

/// Returns the text of a reply. An error reply is an error.
pub(super) fn text(reply: &Reply) -> io::Result<String> {
    match reply.text() {
        Some(text) if reply.error().is_none() => Ok(text.into_owned()),
        _ => Err(io::Error::other(format!("unexpected answer: {reply:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_its_flags_its_master_and_the_slots_that_it_has() {
        let line = "07c3 127.0.0.1:10004@20004,host myself,master - 0 14 4 connected 0-5460 7 \
                    [93->-292f]";
        let peer = Peer::parse(line).expect("a line of CLUSTER NODES");
        assert_eq!(
            (peer.id.as_str(), peer.port, peer.epoch),
            ("07c3", 10_004, 4)
        );
        assert!(peer.is("master") && peer.is("myself") && peer.is_well());
        assert_eq!(peer.slots, [0..=5_460, 7..=7]);
    }

    #[test]
    fn a_replica_names_its_master_and_a_doubt_is_seen() {
        let line = "67ed 127.0.0.1:10005@20005 slave,fail? e7d1 0 14 6 connected";
        let peer = Peer::parse(line).expect("a line of CLUSTER NODES");
        assert_eq!(peer.master.as_deref(), Some("e7d1"));
        assert!(peer.slots.is_empty() && !peer.is_well());
    }
}
