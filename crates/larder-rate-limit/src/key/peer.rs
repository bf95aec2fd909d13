use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::Extensions;

/// Finds the address at the other end of the connection in what the server put into a request.
pub type FindPeer = fn(&Extensions) -> Option<IpAddr>;

/// The address at the other end of the connection, for a server to put into each request.
///
/// Under axum it need not be put there: with the feature `axum`, what
/// `into_make_service_with_connect_info::<SocketAddr>()` leaves is found too. Under plain hyper,
/// insert it where the connection is accepted; under tonic, look at `TcpConnectInfo` with
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
    /// The peer's address among `extensions`: a [`PeerAddr`], or with the feature `axum` a
    /// `ConnectInfo<SocketAddr>`.
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
