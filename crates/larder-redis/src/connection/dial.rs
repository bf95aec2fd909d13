//! Dials a connection, and spawns the task that drives it.
//!
//! The client library could do both, but hides the task: a connection that is given up must be
//! closed before the next one is used, even if operations still wait on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::socket2::SockRef;
use ::redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, RedisError, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::address::Address;
use super::client_handle::ClientHandle;
use super::health::Health;
use super::multiplexed::Connection;
use super::socket::Socket;

/// Connects to `address` and shakes hands with the server.
pub(crate) async fn dial(
    address: &Address,
    config: AsyncConnectionConfig,
    health: Arc<Health>,
) -> RedisResult<Connection> {
    let info = &address.info;
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => {
            let stream = tcp(host, *port, info).await?;
            match &address.tls {
                Some(tls) => {
                    // Boxed, because the state of a handshake is large.
                    let stream = Box::pin(tls.connect(host, stream)).await?;
                    over(stream, info, config, health).await
                }
                None => over(stream, info, config, health).await,
            }
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await?;
            over(stream, info, config, health).await
        }
        _ => Err(RedisError::from(io::Error::from(
            io::ErrorKind::Unsupported,
        ))),
    }
}

/// Returns when the TLS certificate of a server expires, after the Unix epoch. None without TLS.
pub(crate) async fn certificate_end(address: &Address) -> Option<io::Result<Duration>> {
    let (tls, info) = (address.tls.as_ref()?, &address.info);
    let ConnectionAddr::Tcp(host, port) = info.addr() else {
        return None;
    };
    let ends = async {
        let stream = tcp(host, *port, info).await?;
        // Boxed, because the state of a handshake is large.
        Box::pin(tls.certificate_end(host, stream)).await
    };
    Some(ends.await)
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    info: &ConnectionInfo,
    config: AsyncConnectionConfig,
    health: Arc<Health>,
) -> RedisResult<Connection> {
    let stream = Socket::new(stream, health.clone());
    let connecting = MultiplexedConnection::new_with_config(info.redis_settings(), stream, config);
    let (multiplexed, driver) = connecting.await?;
    let connection = Connection::new(multiplexed, health, tokio::spawn(driver));
    let client_handle = ClientHandle::fetch(&connection.multiplexed()).await?;
    Ok(connection.with_client_handle(client_handle))
}

/// Connects to the first of the host's addresses that accepts.
///
/// They are tried together, so a dead one costs no time.
async fn tcp(host: &str, port: u16, info: &ConnectionInfo) -> io::Result<TcpStream> {
    let mut attempts: JoinSet<_> = lookup_host((host, port))
        .await?
        .map(TcpStream::connect)
        .collect();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    while let Some(attempt) = attempts.join_next().await {
        match attempt.map_err(io::Error::other)? {
            Ok(stream) => return settle(stream, info),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn settle(stream: TcpStream, info: &ConnectionInfo) -> io::Result<TcpStream> {
    let settings = info.tcp_settings();
    stream.set_nodelay(settings.nodelay())?;
    let socket = SockRef::from(&stream);
    if let Some(keepalive) = settings.keepalive() {
        socket.set_tcp_keepalive(keepalive)?;
    }
    // Bytes that the system has not sent when the connection is given up must never be sent.
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}
