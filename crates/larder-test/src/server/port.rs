//! Ports for servers.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the ranges that Linux and macOS give to outgoing connections: a client that dials a dead
/// port of its own range can be given that very port to dial from, connects to itself, and then
/// holds it against the server's return. Ten thousand more, the bus port of a cluster node, stays
/// below them as well.
const RANGE: Range<u16> = 10_000..22_000;

const ATTEMPTS: usize = 1_000;

/// A loopback port that was free a moment ago. Whoever binds it next must be ready to lose it.
pub(super) fn free() -> io::Result<u16> {
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..ATTEMPTS {
        let port = fastrand::u16(RANGE);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}
