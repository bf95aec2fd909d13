use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::Extensions;

/// Finds the connection's peer address among the extensions of a request.
pub type FindPeer = fn(&Extensions) -> Option<IpAddr>;

/// The connection's peer address, which a server puts into each request.
///
/// Under axum, enable the feature `axum` and use
/// `into_make_service_with_connect_info::<SocketAddr>()`: its address is found without this type. Under
/// plain hyper, insert it where the connection is accepted. Under tonic, read `TcpConnectInfo` with
/// [`KeyBy::peer_found_by`](crate::KeyBy::peer_found_by).
///
/// `Debug` shows no address.
///
/// ```
/// use std::net::SocketAddr;
/// use http::Request;
/// use larder_rate_limit::PeerAddr;
///
/// fn of_connection<B>(mut request: Request<B>, peer: SocketAddr) -> Request<B> {
///     request.extensions_mut().insert(PeerAddr(peer));
///     request
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);

impl PeerAddr {
    /// Finds the peer's address among `extensions`.
    ///
    /// It looks for a [`PeerAddr`], and with the feature `axum` for a `ConnectInfo<SocketAddr>`.
    #[inline]
    pub fn find(extensions: &Extensions) -> Option<IpAddr> {
        if let Some(Self(peer)) = extensions.get() {
            return Some(peer.ip());
        }
        #[cfg(feature = "axum")]
        if let Some(axum::extract::ConnectInfo(peer)) =
            extensions.get::<axum::extract::ConnectInfo<SocketAddr>>()
        {
            return Some(peer.ip());
        }
        None
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerAddr")
    }
}
