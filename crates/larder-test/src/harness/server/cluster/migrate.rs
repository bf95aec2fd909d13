//! Moves a slot from one master to another.

use std::fmt;
use std::io;

use super::RedisCluster;
use super::create::order;
use super::slot::out_of_range;
use super::view::text;
use crate::harness::server::connection::PATIENCE;
use crate::harness::server::node::RedisNode;
use crate::harness::server::resp::Reply;

impl RedisCluster {
    /// Moves a slot with its keys, and waits until all nodes agree.
    ///
    /// Clients that still use the old master then get `MOVED`.
    ///
    /// # Errors
    ///
    /// Those of [`begin_move`](Self::begin_move) and [`SlotMove::finish`].
    pub fn move_slot(&self, slot: u16, to: &RedisNode) -> io::Result<()> {
        self.begin_move(slot, to)?.finish()
    }

    /// Begins to move a slot, with all its keys still on the old master.
    ///
    /// Until the move is finished, the old master answers `ASK` to a command for keys that it does not have,
    /// and `TRYAGAIN` to a command for several keys of which it has only some. The new master serves the slot
    /// only after `ASKING`.
    ///
    /// # Errors
    ///
    /// If there is no such slot, `to` has it already, or a node refuses.
    pub fn begin_move<'a>(&'a self, slot: u16, to: &'a RedisNode) -> io::Result<SlotMove<'a>> {
        if slot >= super::slot::SLOTS {
            return Err(out_of_range(slot));
        }
        let from = self.master_of_slot(slot)?;
        if from.port() == to.port() {
            let what = format!("{} already has slot {slot}", to.address());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let moving = SlotMove {
            cluster: self,
            slot: slot.to_string(),
            from,
            to,
        };
        moving.set(to, &["IMPORTING", &id(from)?])?;
        moving.set(from, &["MIGRATING", &id(to)?])?;
        Ok(moving)
    }
}

/// A slot that is moving between two masters.
///
/// If it is dropped before it is finished, the slot stays between the two.
#[must_use = "the slot stays between two masters until the move is finished"]
pub struct SlotMove<'a> {
    cluster: &'a RedisCluster,
    slot: String,
    from: &'a RedisNode,
    to: &'a RedisNode,
}

/// The maximum number of keys that one command moves.
const BATCH: &str = "256";

impl SlotMove<'_> {
    /// Returns the old master.
    pub fn from(&self) -> &RedisNode {
        self.from
    }

    /// Returns the new master.
    pub fn to(&self) -> &RedisNode {
        self.to
    }

    /// Moves these keys with their values and TTLs. Keys that do not exist are ignored.
    ///
    /// # Errors
    ///
    /// When a node refuses.
    pub fn migrate<K: AsRef<[u8]>>(&self, keys: &[K]) -> io::Result<()> {
        let port = self.to.port().to_string();
        let timeout = PATIENCE.as_millis().to_string();
        let mut command: Vec<&[u8]> = vec![b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0"];
        command.push(timeout.as_bytes());
        if let Some((user, password)) = self.to.options.harness_login() {
            let words = [b"AUTH2", user.as_bytes(), password.as_bytes()];
            command.extend(words);
        }
        command.push(b"KEYS");
        command.extend(keys.iter().map(AsRef::as_ref));
        order(self.from, &command)
    }

    /// Moves the remaining keys and the slot, and waits until all nodes agree.
    ///
    /// # Errors
    ///
    /// When a node refuses, or they do not agree within twenty seconds.
    pub fn finish(self) -> io::Result<()> {
        loop {
            let keys = self.keys_left()?;
            if keys.is_empty() {
                break;
            }
            self.migrate(&keys)?;
        }
        let new = id(self.to)?;
        // The new owner first: otherwise the slot would have no owner for a moment.
        let others = self.cluster.masters().into_iter();
        let others =
            others.filter(|node| ![self.to.port(), self.from.port()].contains(&node.port()));
        for node in [self.to, self.from].into_iter().chain(others) {
            self.set(node, &["NODE", &new])?;
        }
        self.cluster.wait_until_ready()
    }

    fn keys_left(&self) -> io::Result<Vec<Vec<u8>>> {
        let reply = self
            .from
            .command(&["CLUSTER", "GETKEYSINSLOT", &self.slot, BATCH])?;
        let unexpected =
            || io::Error::other(format!("unexpected answer to GETKEYSINSLOT: {reply:?}"));
        let keys = reply.array().ok_or_else(unexpected)?;
        keys.iter()
            .map(|key| match key {
                Reply::Bulk(key) => Ok(key.clone()),
                _ => Err(unexpected()),
            })
            .collect()
    }

    fn set(&self, node: &RedisNode, state: &[&str]) -> io::Result<()> {
        let mut command = vec!["CLUSTER", "SETSLOT", &self.slot];
        command.extend(state);
        order(node, &command)
    }
}

fn id(node: &RedisNode) -> io::Result<String> {
    text(&node.command(&["CLUSTER", "MYID"])?)
}

impl fmt::Debug for SlotMove<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotMove")
            .field("slot", &self.slot)
            .field("from", &self.from.address())
            .field("to", &self.to.address())
            .finish_non_exhaustive()
    }
}
