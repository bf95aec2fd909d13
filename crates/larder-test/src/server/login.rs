//! How the harness itself comes in.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::config;
use super::connection::Connection;
use super::options::RedisOptions;

/// A connection to the server in `dir` on `port`, as the harness's user.
///
/// A server that speaks TLS alone is reached through its unix socket, which is always plain.
pub(super) fn login(
    options: &RedisOptions,
    dir: &Path,
    port: u16,
    patience: Duration,
) -> io::Result<Connection> {
    let mut connection = if options.speaks_tls() {
        Connection::open_unix(&dir.join(config::SOCKET), patience)?
    } else {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Connection::open_within(address, patience)?
    };
    let reply = match options.harness_login() {
        // A server before ACLs knows passwords only.
        Some(("default", password)) => connection.call(&["AUTH", password])?,
        Some((user, password)) => connection.call(&["AUTH", user, password])?,
        None => return Ok(connection),
    };
    match reply.error() {
        Some(error) => Err(io::Error::other(format!("AUTH was answered by {error}"))),
        None => Ok(connection),
    }
}
