//! Checks whether a cluster is ready.

use std::collections::BTreeSet;

use super::NODES;
use super::view::{Peer, View, text};
use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::GLANCE;
use crate::harness::server::resp::Reply;

/// Returns what is missing until the cluster is ready.
///
/// In a ready cluster every node that was not killed works, all of them agree on the owners of the slots,
/// and every replica has the data of its master.
pub(super) fn missing(nodes: &[RedisNode]) -> Result<(), String> {
    let alive: Vec<_> = nodes.iter().filter(|node| node.pid().is_some()).collect();
    let mut views = Vec::new();
    for &node in &alive {
        if !node.is_running() {
            return Err(format!("{node:?} is frozen"));
        }
        let seen = inspect(node, &alive);
        views.push(seen.map_err(|what| format!("{node:?}: {what}"))?);
    }
    let mut roles = views.iter().map(View::roles);
    let first = roles.next();
    if roles.any(|other| Some(other) != first) {
        return Err("the nodes do not agree on the owners of slots".to_owned());
    }
    Ok(())
}

fn inspect(node: &RedisNode, alive: &[&RedisNode]) -> Result<View, String> {
    let said = |command: [&str; 2]| {
        let reply = node.connect_within(GLANCE)?.call(&command)?;
        text(&reply)
    };
    let info = said(["CLUSTER", "INFO"]).map_err(|error| error.to_string())?;
    for wanted in ["cluster_state:ok", "cluster_slots_ok:16384"] {
        has(&info, wanted)?;
    }
    let view = View::of(node).map_err(|error| error.to_string())?;
    if view.peers.len() != NODES {
        return Err(format!("it knows {} nodes", view.peers.len()));
    }
    for other in alive {
        match view.peers.get(&other.port()) {
            Some(peer) if peer.is_well() => {}
            peer => return Err(format!("it sees {other:?} as {peer:?}")),
        }
    }
    let slots = node
        .connect_within(GLANCE)
        .and_then(|mut connection| connection.call(&["CLUSTER", "SLOTS"]))
        .map_err(|error| error.to_string())?;
    let named = named_to_clients(&slots);
    if let Some(other) = alive.iter().find(|it| !named.contains(&it.port())) {
        return Err(format!("it does not name {other:?} to clients"));
    }
    let replication = said(["INFO", "replication"]).map_err(|error| error.to_string())?;
    match view.peers.values().find(|peer| peer.is("myself")) {
        Some(me) if me.is("master") => has_replicas(me, &view, alive, &replication)?,
        _ => has(&replication, "master_link_status:up")?,
    }
    Ok(view)
}

/// Returns the ports of the nodes in a reply to `CLUSTER SLOTS`.
fn named_to_clients(slots: &Reply) -> BTreeSet<u16> {
    let ranges = slots.array().unwrap_or_default().iter();
    let nodes = ranges.filter_map(Reply::array).flatten();
    let ports = nodes.filter_map(|node| node.array()?.get(1)?.int());
    ports.filter_map(|port| u16::try_from(port).ok()).collect()
}

/// Checks that all running replicas of a master are online according to it.
fn has_replicas(
    master: &Peer,
    view: &View,
    alive: &[&RedisNode],
    replication: &str,
) -> Result<(), String> {
    let follows = |node: &&&RedisNode| {
        let peer = view.peers.get(&node.port());
        peer.is_some_and(|peer| peer.master.as_ref() == Some(&master.id))
    };
    for replica in alive.iter().filter(follows) {
        let port = format!(",port={},state=online,", replica.port());
        has(replication, &port)?;
    }
    Ok(())
}

fn has(text: &str, wanted: &str) -> Result<(), String> {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("there is no {wanted} in\n{text}"))
    }
}
