//! The settings of connections, and their names in logs.

use std::time::Duration;

use ::redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use ::redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// The idle time after which the system probes the other side.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Returns the protocol that a URL requests. None if it does not exist.
pub(super) fn protocol(name: Option<&str>) -> Option<ProtocolVersion> {
    match name {
        Some("resp2" | "2") => Some(ProtocolVersion::RESP2),
        // RESP3 begins with a greeting, so that a wrong server or password is noticed when
        // connecting.
        None | Some("resp3" | "3") => Some(ProtocolVersion::RESP3),
        Some(_) => None,
    }
}

/// Replaces the client's default settings by those of this store.
///
/// TCP_NODELAY is on: without it a command waits for the answer of the one before it, which saves
/// packets if the server is near, and costs a round trip if it is not.
pub(super) fn settle(info: ConnectionInfo, login: RedisConnectionInfo) -> ConnectionInfo {
    let login = login.set_db(info.redis_settings().db());
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE));
    info.set_redis_settings(login).set_tcp_settings(tcp)
}

/// Formats a server for a log.
pub(super) fn location(info: &ConnectionInfo, is_tls: bool) -> String {
    let database = info.redis_settings().db();
    let (address, database) = match info.addr() {
        ConnectionAddr::Unix(path) => (
            format!("unix://{}", path.display()),
            format!("?db={database}"),
        ),
        address => (
            format!("{}://{}", scheme("redis", is_tls), host(address)),
            format!("/{database}"),
        ),
    };
    match info.redis_settings().db() {
        0 => address,
        _ => address + &database,
    }
}

/// Formats several servers for a log.
pub(super) fn location_of_many(form: &str, is_tls: bool, infos: &[ConnectionInfo]) -> String {
    let hosts: Vec<_> = infos.iter().map(|info| host(info.addr())).collect();
    format!("{}://{}", scheme(form, is_tls), hosts.join(","))
}

/// Formats a host and its port.
pub(crate) fn host(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
        address => address.to_string(),
    }
}

fn scheme(form: &str, is_tls: bool) -> String {
    match is_tls {
        true => form.replacen("redis", "rediss", 1),
        false => form.to_owned(),
    }
}
