//! The harness's own login to its servers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::connection::Connection;
use super::options::RedisOptions;

/// Connects to the server on `port` as the harness's user.
///
/// It uses TLS if clients do.
pub(super) fn login(
    options: &RedisOptions,
    port: u16,
    patience: Duration,
) -> io::Result<Connection> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let open = || Connection::open_within(address, patience);
    #[cfg(feature = "tls")]
    let open = || match &options.tls {
        Some(tls) => Connection::open_tls(address, tls, patience),
        None => open(),
    };
    let mut connection = open()?;
    let reply = match options.harness_login() {
        // A server older than ACLs accepts only a password.
        Some(("default", password)) => connection.call(&["AUTH", password])?,
        Some((user, password)) => connection.call(&["AUTH", user, password])?,
        None => return Ok(connection),
    };
    match reply.error() {
        Some(error) => Err(io::Error::other(format!("the answer to AUTH was {error}"))),
        None => Ok(connection),
    }
}
