//! Forms a cluster out of six nodes.

use std::io;

use super::MASTERS;
use super::slot::SLOTS;
use super::view::{View, text};
use crate::harness::port::BUS;
use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::until;

/// Gives the slots to the first half of the nodes, and each of those one replica.
///
/// `redis-cli --cluster create` is not used, because it returns before the replicas have synced. Every node
/// meets every other, so that nothing has to wait for gossip.
pub(super) fn form(nodes: &[RedisNode]) -> io::Result<()> {
    for (epoch, node) in (1..).zip(nodes) {
        // Only a node that knows no other accepts an epoch.
        order(node, &["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")])?;
    }
    for (index, node) in (0..).zip(&nodes[..MASTERS]) {
        let slots = share(index).map(|slot| slot.to_string());
        let command = ["CLUSTER", "ADDSLOTS"].map(str::to_owned);
        order(node, &command.into_iter().chain(slots).collect::<Vec<_>>())?;
    }
    for (index, node) in nodes.iter().enumerate() {
        for other in &nodes[index + 1..] {
            meet(node, other)?;
        }
    }
    for (master, replica) in nodes[..MASTERS].iter().zip(&nodes[MASTERS..]) {
        let master = text(&master.command(&["CLUSTER", "MYID"])?)?;
        until("a replica that knows its master", || {
            let view = View::of(replica).map_err(|error| error.to_string())?;
            if !view.peers.values().any(|peer| peer.id == master) {
                return Err(format!("{replica:?} sees {view:?}"));
            }
            order(replica, &["CLUSTER", "REPLICATE", &master]).map_err(|error| error.to_string())
        })?;
    }
    Ok(())
}

/// Returns the slots of the master with this number.
fn share(index: u16) -> std::ops::Range<u16> {
    let masters = MASTERS as u32;
    // The product is at most 3 x 16,384, and the quotient at most 16,384.
    let bound = |index: u16| (u32::from(index) * u32::from(SLOTS) / masters) as u16;
    bound(index)..bound(index + 1)
}

fn meet(node: &RedisNode, other: &RedisNode) -> io::Result<()> {
    let (port, bus) = (other.port(), other.port() + BUS);
    let (port, bus) = (port.to_string(), bus.to_string());
    order(node, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
}

/// Runs a command that answers `OK`.
pub(super) fn order<A: AsRef<[u8]>>(node: &RedisNode, args: &[A]) -> io::Result<()> {
    let reply = node.command(args)?;
    match reply.error() {
        None => Ok(()),
        Some(error) => {
            let words = args
                .iter()
                .take(2)
                .map(|arg| String::from_utf8_lossy(arg.as_ref()));
            let command = words.collect::<Vec<_>>().join(" ");
            let text = format!("{} answered {command} with {error}", node.address());
            Err(io::Error::other(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masters_share_all_slots() {
        let mut next = 0;
        for index in 0..MASTERS as u16 {
            assert_eq!(share(index).start, next);
            next = share(index).end;
        }
        assert_eq!(next, SLOTS);
    }
}
