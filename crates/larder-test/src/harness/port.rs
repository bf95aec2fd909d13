//! Finds free ports for servers.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// The range of ports, below those of outgoing connections on Linux and macOS.
///
/// A client that dials a dead port of its own range can be given that very port to dial from; it
/// then connects to itself, and holds the port against the server's return. The bus of a cluster
/// node, [`BUS`] above its port, stays below that range too, and no server's port is ever chosen
/// there.
const RANGE: Range<u16> = 10_000..20_000;

/// The distance from a cluster node's port to the port of its bus.
#[cfg(unix)]
pub(crate) const BUS: u16 = 10_000;

const ATTEMPTS: usize = 1_000;

/// Returns a loopback port that was free a moment ago. Whoever binds it next must be ready to lose
/// it.
pub(crate) fn free() -> io::Result<u16> {
    search(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop))
}

/// Finds a port like [`free`], where the port of the node's bus is free too.
#[cfg(unix)]
pub(crate) fn free_with_bus() -> io::Result<u16> {
    search(|port| {
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port + BUS)).map(drop)
    })
}

fn search(is_free: impl Fn(u16) -> io::Result<()>) -> io::Result<u16> {
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..ATTEMPTS {
        let port = fastrand::u16(RANGE);
        match is_free(port) {
            Ok(()) => return Ok(port),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}
