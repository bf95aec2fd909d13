mod forwarded;
mod node;
mod x_forwarded_for;

use std::fmt;
use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use super::peer::{FindPeer, PeerAddr};
use super::proxy_nets::ProxyNets;
use super::request_head::RequestHead;

/// The trusted proxies, and the one header in which they report the client's address.
///
/// 1. If the peer is not a declared proxy, the peer is the client, and the header is ignored.
/// 2. Otherwise the addresses in the header are read from the right, the nearest first. All lines of
///    the header count as one (RFC 9110, 5.3).
/// 3. Declared proxies are skipped. The first other address is the client. Entries to its left were
///    written by the client, and are never read.
/// 4. At an entry that is not an address (`unknown`, an obfuscated id, or rubbish), and at the end of
///    the entries, the client is the last address that was read.
/// 5. After [`MAX_HOPS`](Self::MAX_HOPS) entries the walk ends as in 4.
///
/// Addresses may have a port, brackets or quotes. Mapped IPv6 addresses count as IPv4, in the declared
/// networks too.
///
/// Use [`header`](Self::header) for a proxy that reports one address in a header of its own. Only
/// rules 1 and 4 apply to it.
#[derive(Clone)]
pub struct TrustedProxies {
    networks: ProxyNets,
    header: Header,
    find_peer: FindPeer,
}

#[derive(Clone)]
enum Header {
    XForwardedFor,
    Forwarded,
    /// A header that holds one address.
    Named(HeaderName),
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl TrustedProxies {
    /// The maximum number of header entries that are read: 32.
    pub const MAX_HOPS: usize = 32;

    /// Trusts proxies in `networks` that append to `X-Forwarded-For`.
    pub fn x_forwarded_for(networks: ProxyNets) -> Self {
        Self::new(networks, Header::XForwardedFor)
    }

    /// Trusts proxies in `networks` that append to `Forwarded` (RFC 7239).
    pub fn forwarded(networks: ProxyNets) -> Self {
        Self::new(networks, Header::Forwarded)
    }

    /// Trusts proxies in `networks` that write only the client's address into the header `name`, such
    /// as `CF-Connecting-IP`, `True-Client-IP` or `X-Real-IP`.
    ///
    /// If the header of such a request is missing, repeated or not an address, the client is the proxy
    /// itself. The peer must be the proxy that writes the header, and must replace what the client
    /// sent: if another proxy of yours is between the two, it passes a forged header on.
    ///
    /// ```
    /// use http::HeaderName;
    /// use larder_rate_limit::{KeyBy, TrustedProxies};
    ///
    /// let name = HeaderName::from_static("cf-connecting-ip");
    /// // The provider publishes its networks.
    /// let proxies = TrustedProxies::header("173.245.48.0/20, 2400:cb00::/32".parse()?, name);
    /// let key_by = KeyBy::forwarded(proxies);
    /// # Ok::<(), larder_store::Error>(())
    /// ```
    pub fn header(networks: ProxyNets, name: HeaderName) -> Self {
        Self::new(networks, Header::Named(name))
    }

    fn new(networks: ProxyNets, header: Header) -> Self {
        Self {
            networks,
            header,
            find_peer: PeerAddr::find,
        }
    }

    /// Finds the peer's address with `find`, for servers that store it elsewhere.
    ///
    /// A proxy that connects over a Unix socket has no address: return the loopback address, and
    /// declare that.
    #[must_use]
    pub fn with_peer_found_by(mut self, find: FindPeer) -> Self {
        self.find_peer = find;
        self
    }

    /// Returns the client of a request, or None if the peer is unknown.
    pub fn client(&self, parts: &Parts) -> Option<IpAddr> {
        self.client_in(RequestHead::of_parts(parts))
    }

    pub(super) fn client_in(&self, request: RequestHead<'_>) -> Option<IpAddr> {
        let peer = (self.find_peer)(request.extensions)?;
        Some(self.client_behind(peer, request.headers))
    }

    /// Returns the client of a request that `peer` sent with `headers`.
    pub fn client_behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.networks.contain(peer) {
            return peer;
        }
        match &self.header {
            Header::Named(name) => only_address(headers, name).unwrap_or(peer),
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

    /// Walks from `peer`, nearest first, to the first address that is not a proxy.
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

/// Returns the address in a header, if the header occurs once.
fn only_address(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let mut lines = headers.get_all(name).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let address = node::address(line.as_bytes().trim_ascii())?;
    Some(address.to_canonical())
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
