mod forwarded;
mod node;
mod x_forwarded_for;

use std::fmt;
use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use super::{FindPeer, PeerAddr, ProxyNets, Seen};

/// The proxies whose word on where a request came from is taken, and the one header they give it
/// in.
///
/// 1. Where the peer itself is no declared proxy, the peer is the client, and the header is not
///    looked at.
/// 2. Otherwise the header's addresses are walked from the right, which is the nearest end, over
///    all its lines as if they were one (RFC 9110, 5.3).
/// 3. An address that is a declared proxy is passed by; the first that is none is the client.
///    What stands left of it was written by the client, and is never looked at.
/// 4. Where an entry is no address (`unknown`, an obfuscated id, rubbish), and where the entries
///    end, the client is the last address that was passed.
/// 5. After [`MAX_HOPS`](Self::MAX_HOPS) entries the walk ends as in 4.
///
/// Addresses may have a port, brackets or quotes. IPv4 addresses in IPv6 clothes are IPv4, among
/// the declared networks too.
#[derive(Clone)]
pub struct TrustedProxies {
    networks: ProxyNets,
    header: Header,
    find_peer: FindPeer,
}

#[derive(Clone, Copy)]
enum Header {
    XForwardedFor,
    Forwarded,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl TrustedProxies {
    /// The most entries of a header that are looked at: 32.
    pub const MAX_HOPS: usize = 32;

    /// Proxies in `networks` that append to `X-Forwarded-For`.
    pub fn x_forwarded_for(networks: ProxyNets) -> Self {
        Self::new(networks, Header::XForwardedFor)
    }

    /// Proxies in `networks` that append to `Forwarded` (RFC 7239).
    pub fn forwarded(networks: ProxyNets) -> Self {
        Self::new(networks, Header::Forwarded)
    }

    fn new(networks: ProxyNets, header: Header) -> Self {
        Self {
            networks,
            header,
            find_peer: PeerAddr::find,
        }
    }

    /// The same, with the peer's address found by `find`: for servers that put it elsewhere.
    ///
    /// Behind a proxy that connects over a Unix socket there is none: give the loopback address,
    /// and declare that.
    #[must_use]
    pub fn with_peer_found_by(mut self, find: FindPeer) -> Self {
        self.find_peer = find;
        self
    }

    /// The client of a request, if the peer is known.
    pub fn client(&self, parts: &Parts) -> Option<IpAddr> {
        self.client_in(Seen::of_parts(parts))
    }

    pub(super) fn client_in(&self, seen: Seen<'_>) -> Option<IpAddr> {
        let peer = (self.find_peer)(seen.extensions)?;
        Some(self.client_behind(peer, seen.headers))
    }

    /// The client of a request that `peer` sent with `headers`.
    pub fn client_behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.networks.contain(peer) {
            return peer;
        }
        match self.header {
            Header::XForwardedFor => {
                let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
                self.walk(
                    peer,
                    lines.flat_map(|line| x_forwarded_for::nodes(line.as_bytes())),
                )
            }
            Header::Forwarded => {
                let lines = headers.get_all(header::FORWARDED).iter().rev();
                self.walk(
                    peer,
                    lines.flat_map(|line| forwarded::nodes(line.as_bytes())),
                )
            }
        }
    }

    /// Walks away from `peer`, nearest first, to the first address that is no proxy.
    fn walk(&self, peer: IpAddr, nodes: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for node in nodes.take(Self::MAX_HOPS) {
            match node.map(|address| address.to_canonical()) {
                None => break,
                Some(address) => client = address,
            }
            if !self.networks.contain(client) {
                break;
            }
        }
        client
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxies")
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
