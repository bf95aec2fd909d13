use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

use super::peer::{FindPeer, PeerAddr};
use super::proxies::TrustedProxies;
use super::request_head::RequestHead;

/// Finds the address of a client: the peer of the connection, or the client behind declared proxies.
///
/// [`KeyBy::peer`](crate::KeyBy::peer) and [`KeyBy::forwarded`](crate::KeyBy::forwarded) charge it, and
/// [`AccessLists`](crate::AccessLists) look it up.
#[derive(Clone)]
pub struct ClientAddress(Source);

#[derive(Clone)]
enum Source {
    Peer,
    /// The peer that this function finds.
    PeerFoundBy(FindPeer),
    Forwarded(Arc<TrustedProxies>),
}

impl ClientAddress {
    /// Uses the peer of the connection, as [`PeerAddr::find`] finds it.
    pub fn peer() -> Self {
        Self(Source::Peer)
    }

    /// Uses the peer that `find` finds, for servers that store it elsewhere.
    pub fn peer_found_by(find: FindPeer) -> Self {
        Self(Source::PeerFoundBy(find))
    }

    /// Uses the client behind declared proxies.
    pub fn forwarded(proxies: TrustedProxies) -> Self {
        Self(Source::Forwarded(Arc::new(proxies)))
    }

    /// Returns the address of the client of a request, or None if the peer is unknown.
    pub fn find(&self, parts: &Parts) -> Option<IpAddr> {
        self.find_in(RequestHead::of_parts(parts))
    }

    #[inline]
    pub(crate) fn find_in(&self, request: RequestHead<'_>) -> Option<IpAddr> {
        match &self.0 {
            Source::Peer => PeerAddr::find(request.extensions),
            Source::PeerFoundBy(find) => find(request.extensions),
            Source::Forwarded(proxies) => proxies.client_in(request),
        }
    }

    /// Returns the name of the constructor.
    pub(super) fn name(&self) -> &'static str {
        match self.0 {
            Source::Peer | Source::PeerFoundBy(_) => "peer",
            Source::Forwarded(_) => "forwarded",
        }
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientAddress::{}", self.name())
    }
}
