//! Waits for a failover.

use std::io;

use super::RedisCluster;
use super::slot::{probe, slot_of};
use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::{GLANCE, until};

impl RedisCluster {
    /// Waits until another node than `old` accepts writes for `key`, and returns it.
    ///
    /// Other nodes may know it a moment later; for that there is
    /// [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// # Errors
    ///
    /// When twenty seconds are over; the error says what the nodes answered.
    pub fn wait_for_failover(
        &self,
        key: impl AsRef<[u8]>,
        old: &RedisNode,
    ) -> io::Result<&RedisNode> {
        let probe = probe(slot_of(key));
        until("a new master", || {
            let others = self.nodes.iter().filter(|node| node.port() != old.port());
            let mut answers = String::new();
            for node in others.filter(|node| node.is_running()) {
                match takes_writes(node, &probe) {
                    Ok(()) => return Ok(node),
                    Err(answer) => answers.push_str(&format!("{}: {answer}; ", node.address())),
                }
            }
            Err(answers)
        })
    }
}

/// Checks with a write that changes nothing whether `node` accepts writes to `key`.
pub(in crate::harness::server) fn takes_writes(node: &RedisNode, key: &str) -> io::Result<()> {
    let reply = node.connect_within(GLANCE)?.call(&["DEL", key])?;
    match reply.int() {
        Some(_) => Ok(()),
        None => Err(io::Error::other(format!("{reply:?}"))),
    }
}
