//! Checks whether sentinels and their servers are ready.

use std::collections::BTreeMap;

use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::GLANCE;
use crate::harness::server::resp::Reply;

use super::RedisSentinels;

/// Checks that every replica that was not killed has the data of the master. The error says what is missing.
pub(super) fn replication(servers: &[RedisNode], master: &RedisNode) -> Result<(), String> {
    let alive = servers.iter().filter(|server| server.pid().is_some());
    let of_master = ask(master, &["INFO", "replication"])?;
    let of_master = of_master.text().unwrap_or_default().into_owned();
    has(&of_master, "role:master", master)?;
    for replica in alive.filter(|server| server.port() != master.port()) {
        let online = format!("port={},state=online,", replica.port());
        has(&of_master, &online, master)?;
        let of_replica = ask(replica, &["INFO", "replication"])?;
        let text = of_replica.text().unwrap_or_default();
        has(&text, &format!("master_port:{}\r", master.port()), replica)?;
        has(&text, "master_link_status:up", replica)?;
    }
    Ok(())
}

/// Checks that every sentinel that was not killed knows all servers. The error says what is missing.
///
/// It must know the other sentinels, the master and its replicas, and consider none of them down.
pub(super) fn knowledge(all: &RedisSentinels, master: &RedisNode) -> Result<(), String> {
    let name = all.master_name();
    let alive = all.sentinels().iter().filter(|node| node.pid().is_some());
    for sentinel in alive {
        let known = |what: &str| -> Result<Vec<Fields>, String> {
            let reply = ask(sentinel, &["SENTINEL", what, name])?;
            match reply.array() {
                Some(entries) => Ok(entries.iter().map(fields).collect()),
                None => Err(format!("{sentinel:?} answers {reply:?}")),
            }
        };
        let seen = fields(&ask(sentinel, &["SENTINEL", "MASTER", name])?);
        let doubt =
            |who: &RedisNode, seen: &Fields| format!("{sentinel:?} sees {who:?} as {seen:?}");
        if port(&seen) != Some(master.port()) || flags(&seen) != "master" {
            return Err(doubt(master, &seen));
        }
        everybody(
            &known("SENTINELS")?,
            all.sentinels(),
            sentinel,
            "sentinel",
            doubt,
        )?;
        everybody(&known("SLAVES")?, all.servers(), master, "slave", doubt)?;
        let quorum = ask(sentinel, &["SENTINEL", "CKQUORUM", name])?;
        if quorum.error().is_some() {
            return Err(format!("{sentinel:?} answers {quorum:?}"));
        }
    }
    Ok(())
}

/// Checks that a sentinel lists each of `nodes` except one with the right flag.
fn everybody(
    seen: &[Fields],
    nodes: &[RedisNode],
    but: &RedisNode,
    flag: &str,
    doubt: impl Fn(&RedisNode, &Fields) -> String,
) -> Result<(), String> {
    let others = nodes.iter().filter(|node| node.port() != but.port());
    for node in others.filter(|node| node.pid().is_some()) {
        let entry = seen.iter().find(|entry| port(entry) == Some(node.port()));
        match entry {
            Some(entry) if flags(entry) == flag && is_linked(entry) => {}
            entry => return Err(doubt(node, &entry.cloned().unwrap_or_default())),
        }
    }
    Ok(())
}

type Fields = BTreeMap<String, String>;

/// Reads pairs of names and values.
fn fields(reply: &Reply) -> Fields {
    let text = |reply: &Reply| reply.text().unwrap_or_default().into_owned();
    let pairs = reply.array().unwrap_or_default().chunks_exact(2);
    pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn port(fields: &Fields) -> Option<u16> {
    fields.get("port")?.parse().ok()
}

fn flags(fields: &Fields) -> &str {
    fields.get("flags").map_or("", String::as_str)
}

/// Returns whether a replica is connected to its master, as far as the sentinel knows.
fn is_linked(fields: &Fields) -> bool {
    let link = fields.get("master-link-status");
    link.is_none_or(|status| status == "ok")
}

fn ask(node: &RedisNode, command: &[&str]) -> Result<Reply, String> {
    let reply = node
        .connect_within(GLANCE)
        .and_then(|mut connection| connection.call(command));
    reply.map_err(|error| format!("{node:?} does not answer: {error}"))
}

fn has(text: &str, wanted: &str, node: &RedisNode) -> Result<(), String> {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{node:?} does not report {wanted}:\n{text}"))
    }
}
