//! Waits for a failover.

use std::io;

use super::RedisCluster;
use super::slot::{probe, slot_of};
use crate::harness::server::node::RedisNode;
use crate::harness::server::polling::{GLANCE, until};

impl RedisCluster {
    /// Waits until a node other than `old` accepts writes for `key`, and returns it.
    ///
    /// The remaining nodes may learn of it a moment later: to wait for them, use
    /// [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// # Errors
    ///
    /// If it takes more than twenty seconds. The error says what the nodes answered.
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

/// Checks whether `node` accepts writes to `key`, by a write that changes nothing.
pub(in crate::harness::server) fn takes_writes(node: &RedisNode, key: &str) -> io::Result<()> {
    let reply = node.connect_within(GLANCE)?.call(&["DEL", key])?;
    match reply.int() {
        Some(_) => Ok(()),
        None => Err(io::Error::other(format!("{reply:?}"))),
    }
}
