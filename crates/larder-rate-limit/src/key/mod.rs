//! Who is charged for a request.

mod nets;
mod network;
mod peer;
mod proxies;
mod seen;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use larder_store::{Key, KeyId};

use crate::RateLimiter;

pub use nets::ProxyNets;
pub use network::Network;
pub use peer::{FindPeer, PeerAddr};
pub use proxies::TrustedProxies;
pub(crate) use seen::Seen;

/// Who is charged for a request: what tells one visitor from another.
///
/// The sorts of keys never meet: a header that reads like an address is not that address.
///
/// ```
/// use http::HeaderName;
/// use larder_rate_limit::{KeyBy, TrustedProxies};
///
/// // An API key, and where there is none, the address behind our load balancers.
/// let proxies = TrustedProxies::x_forwarded_for("10.0.0.0/8, 192.168.7.1".parse()?);
/// let key_by = KeyBy::header(HeaderName::from_static("x-api-key")).or(KeyBy::forwarded(proxies));
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyBy {
    source: Source,
    otherwise: Option<Arc<KeyBy>>,
}

type Own = dyn Fn(&RateLimiter, &Parts) -> Option<Key> + Send + Sync;

#[derive(Clone)]
enum Source {
    Peer(FindPeer),
    Forwarded(Arc<TrustedProxies>),
    Header(HeaderName),
    Own(Arc<Own>),
    Everybody,
}

impl KeyBy {
    /// Charges the [network](Network) of the address at the other end of the connection, as
    /// [`PeerAddr::find`] finds it.
    ///
    /// Behind a proxy that is the proxy: use [`forwarded`](Self::forwarded) there.
    pub fn peer() -> Self {
        Self::peer_found_by(PeerAddr::find)
    }

    /// As [`peer`](Self::peer), with the address found by `find`: for servers that put it
    /// elsewhere.
    pub fn peer_found_by(find: FindPeer) -> Self {
        Self::by(Source::Peer(find))
    }

    /// Charges the [network](Network) of the nearest address that is no declared proxy.
    pub fn forwarded(proxies: TrustedProxies) -> Self {
        Self::by(Source::Forwarded(Arc::new(proxies)))
    }

    /// Charges the value of the header `name`, such as an API key. A request without it, or with
    /// more than one, has no key.
    ///
    /// The value stands in the store's key, hashed if it is longer than some 90 bytes. What a
    /// visitor may choose freely limits nobody: put this behind what checks the value.
    pub fn header(name: HeaderName) -> Self {
        Self::by(Source::Header(name))
    }

    /// Charges whatever `find` finds in a request.
    ///
    /// ```
    /// use http::request::Parts;
    /// use larder_rate_limit::KeyBy;
    ///
    /// #[derive(Clone)]
    /// struct Tenant(u64);
    ///
    /// let key_by = KeyBy::from_fn(|parts: &Parts| Some(parts.extensions.get::<Tenant>()?.0));
    /// ```
    pub fn from_fn<F, I>(find: F) -> Self
    where
        F: Fn(&Parts) -> Option<I> + Send + Sync + 'static,
        I: KeyId,
    {
        Self::by(Source::Own(Arc::new(move |limiter, parts| {
            Some(limiter.key(("own", find(parts)?)))
        })))
    }

    /// Charges everybody together.
    pub fn everybody() -> Self {
        Self::by(Source::Everybody)
    }

    /// The same, and `otherwise` for a request in which this finds no key.
    #[must_use]
    pub fn or(mut self, otherwise: Self) -> Self {
        let last = match self.otherwise.take() {
            None => otherwise,
            Some(next) => Arc::unwrap_or_clone(next).or(otherwise),
        };
        self.otherwise = Some(Arc::new(last));
        self
    }

    /// The key of the record that `limiter` keeps for whoever sent this request, if it can be told.
    pub fn key(&self, limiter: &RateLimiter, parts: &Parts) -> Option<Key> {
        self.find(limiter, Seen::of_parts(parts))
    }

    pub(crate) fn find(&self, limiter: &RateLimiter, seen: Seen<'_>) -> Option<Key> {
        let key = match &self.source {
            Source::Peer(find) => find(seen.extensions).map(|peer| ip(limiter, peer)),
            Source::Forwarded(proxies) => proxies.client_in(seen).map(|client| ip(limiter, client)),
            Source::Header(name) => header(limiter, name, seen.headers),
            Source::Own(find) => find(limiter, seen.parts?),
            Source::Everybody => Some(limiter.key(("own", "everybody"))),
        };
        key.or_else(|| self.otherwise.as_ref()?.find(limiter, seen))
    }

    /// Whether a function of the app's own has to be shown the whole head of a request.
    pub(crate) fn needs_parts(&self) -> bool {
        matches!(self.source, Source::Own(_))
            || self
                .otherwise
                .as_ref()
                .is_some_and(|next| next.needs_parts())
    }

    fn by(source: Source) -> Self {
        Self {
            source,
            otherwise: None,
        }
    }
}

fn ip(limiter: &RateLimiter, address: std::net::IpAddr) -> Key {
    limiter.key(("ip", Network::of(address)))
}

fn header(limiter: &RateLimiter, name: &HeaderName, headers: &HeaderMap) -> Option<Key> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(limiter.key(("header", value.as_bytes()))),
        _ => None,
    }
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Peer(_) => "KeyBy::peer",
            Source::Forwarded(_) => "KeyBy::forwarded",
            Source::Header(_) => "KeyBy::header",
            Source::Own(_) => "KeyBy::from_fn",
            Source::Everybody => "KeyBy::everybody",
        })?;
        match &self.otherwise {
            Some(otherwise) => write!(f, ".or({otherwise:?})"),
            None => Ok(()),
        }
    }
}
