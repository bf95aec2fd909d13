//! What is left of a server.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use larder_test::server::{RedisNode, RedisServer};

use super::DEADLINE;

/// What is left when a server is not: where to look for it.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) pid: u32,
    pub(super) address: SocketAddr,
    pub(super) dir: PathBuf,
}

impl Trace {
    pub(super) fn of(server: &RedisServer) -> Self {
        Self {
            pid: server.pid().expect("a server that was just started runs"),
            address: server.address(),
            dir: server.dir().to_owned(),
        }
    }

    pub(super) fn of_node(node: &RedisNode) -> Self {
        Self {
            pid: node.pid().expect("a node that was just started runs"),
            address: node.address(),
            dir: node.dir().to_owned(),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        !runs(self.pid) && !self.dir.exists() && TcpStream::connect(self.address).is_err()
    }

    pub(super) fn wait_until_gone(&self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.is_gone() {
            assert!(Instant::now() < deadline, "{self:?} is still there");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub(super) fn runs(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The letter of a process's state, where there is a `/proc`.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, so the state follows the last one.
    stat.rsplit_once(") ")?.1.chars().next()
}
