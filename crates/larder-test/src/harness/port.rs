//! Finds free ports for servers.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// The range of ports, below the range of outgoing connections on Linux and macOS.
///
/// If a client connects to a dead port in the range of outgoing connections, the system may give it
/// that same port as its own: it then connects to itself, and the server cannot get its port back.
/// The bus of a cluster node, [`BUS`] above its port, is below that range too, and no server gets
/// such a port.
const RANGE: Range<u16> = 10_000..20_000;

/// The distance from a cluster node's port to the port of its bus.
#[cfg(unix)]
pub(crate) const BUS: u16 = 10_000;

const ATTEMPTS: usize = 1_000;

/// Returns a loopback port that was free a moment ago. Another process may take it first.
pub(crate) fn free() -> io::Result<u16> {
    search(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop))
}

/// Returns a port like [`free`], for a cluster node: the port of its bus was free too.
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
