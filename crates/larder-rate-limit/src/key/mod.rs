//! How a request's key is found.

mod client_address;
mod compound;
mod header;
mod lookup;
mod named;
mod network;
mod network_list;
mod networks;
mod peer;
mod prefix_lengths;
mod proxies;
mod proxy_nets;
mod request_head;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderName};
use larder_store::{Identity, Key, KeyId};

use crate::RateLimiter;
use crate::limiter::DEFAULT_TIMEOUT;
use header::Header;

pub use client_address::ClientAddress;
pub use lookup::FindKey;
pub(crate) use lookup::{Found, Lookup};
pub use named::NamedVisitor;
pub use network::Network;
pub use network_list::NetworkList;
pub use peer::{FindPeer, PeerAddr};
pub use prefix_lengths::PrefixLengths;
pub use proxies::TrustedProxies;
pub use proxy_nets::ProxyNets;
pub use request_head::RequestHead;

/// Finds the key of a request: the visitor to charge.
///
/// Keys of different sources never collide: a header that looks like an address is not that address, and each
/// header is a source of its own. All [functions](Self::from_fn) are one source, and all types of
/// [users](Self::user) another.
///
/// ```
/// use http::HeaderName;
/// use larder_rate_limit::{KeyBy, TrustedProxies};
///
/// // An API key, or without one the address behind our load balancers.
/// let proxies = TrustedProxies::x_forwarded_for("10.0.0.0/8, 192.168.7.1".parse()?);
/// let key_by = KeyBy::header(HeaderName::from_static("x-api-key")).or(KeyBy::forwarded(proxies));
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyBy {
    source: Source,
    prefixes: PrefixLengths,
    fallback: Option<Arc<KeyBy>>,
}

type KeyFuture<'a> = Pin<Box<dyn Future<Output = Option<Key>> + Send + 'a>>;
type Find = dyn Fn(&RateLimiter, &Parts) -> Option<Key> + Send + Sync;
type FindLater = dyn for<'a> Fn(&'a RateLimiter, &'a Parts) -> KeyFuture<'a> + Send + Sync;

#[derive(Clone)]
enum Source {
    Address(ClientAddress),
    Header(Header),
    Function(Arc<Find>),
    AsyncFunction(Arc<FindLater>),
    User(Arc<FindLater>, fn(&Extensions) -> bool),
    Everybody,
    /// Several sources, all of which must find something.
    All(Arc<[KeyBy]>),
}

impl KeyBy {
    /// Charges the [network](Network) of the connection's peer address.
    ///
    /// [`PeerAddr::find`] finds the address. Behind a proxy it is the proxy's: use
    /// [`forwarded`](Self::forwarded) there.
    pub fn peer() -> Self {
        Self::address(ClientAddress::peer())
    }

    /// Charges the network of the peer address that `find` finds, for servers that store it elsewhere.
    pub fn peer_found_by(find: FindPeer) -> Self {
        Self::address(ClientAddress::peer_found_by(find))
    }

    /// Charges the [network](Network) of the client behind declared proxies.
    pub fn forwarded(proxies: TrustedProxies) -> Self {
        Self::address(ClientAddress::forwarded(proxies))
    }

    /// Charges the [network](Network) of the client's address.
    pub fn address(address: ClientAddress) -> Self {
        Self::by(Source::Address(address))
    }

    /// Charges the value of the header `name`, such as an API key.
    ///
    /// A request without the header, or with several of them, has no key. The store's key contains the name and
    /// the value, or their hash if they and the policy's name have more than some 85 bytes together. A client
    /// that can choose the value freely evades the limit: check the value in an outer layer.
    pub fn header(name: HeaderName) -> Self {
        Self::by(Source::Header(Header::new(name)))
    }

    /// Charges the id that `find` finds in a request.
    ///
    /// All functions, also [async](Self::from_async_fn) ones, are one source: if one is the fallback of another,
    /// put a name in front of the ids of each, as in `("tenant", id)`.
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
        Self::by(Source::Function(Arc::new(move |limiter, parts| {
            Some(limiter.key(("own", find(parts)?)))
        })))
    }

    /// Charges the id that the async function `find` finds, such as a row of a database.
    ///
    /// The layer's [timeout](crate::RateLimitLayer::with_store_timeout) limits it. A function that takes longer
    /// is treated as having found nothing, and counted by a metric. It is dropped with the request.
    ///
    /// ```
    /// use http::request::Parts;
    /// use larder_rate_limit::KeyBy;
    ///
    /// #[derive(Clone)]
    /// struct ApiKey(String);
    /// # async fn tenant_of(key: &ApiKey) -> Option<u64> { None }
    ///
    /// async fn tenant(parts: &Parts) -> Option<u64> {
    ///     tenant_of(parts.extensions.get::<ApiKey>()?).await
    /// }
    ///
    /// let key_by = KeyBy::from_async_fn(tenant).or(KeyBy::peer());
    /// ```
    pub fn from_async_fn<F: for<'a> FindKey<'a>>(find: F) -> Self {
        Self::by(Source::AsyncFunction(Arc::new(move |limiter, parts| {
            let found = find.find(parts);
            Box::pin(async move { Some(limiter.key(("own", found.await?))) })
        })))
    }

    /// Charges the signed-in user, by the `T` among the request's extensions.
    ///
    /// `T` is larder's `Session`, or any other [`Identity`]. A request has no key if it has no `T`, if
    /// nobody is signed in, or if `T` does not answer within the layer's
    /// [timeout](crate::RateLimitLayer::with_store_timeout): add a fallback with [`or`](Self::or).
    ///
    /// The layer that provides `T` must be outside the limit. Reading the session makes responses
    /// vary by cookie, so put such a limit on routes that use the session anyway.
    ///
    /// ```
    /// use larder_rate_limit::KeyBy;
    /// use larder_session::Session;
    ///
    /// let key_by = KeyBy::user::<Session>().or(KeyBy::peer());
    /// ```
    pub fn user<T: Identity>() -> Self {
        let later: Arc<FindLater> = Arc::new(|limiter, parts| {
            let identity = parts.extensions.get::<T>();
            Box::pin(async move { Some(limiter.key(("user", identity?.identify().await?))) })
        });
        let is_there = |extensions: &Extensions| extensions.get::<T>().is_some();
        Self::by(Source::User(later, is_there))
    }

    /// Charges all requests together.
    pub fn everybody() -> Self {
        Self::by(Source::Everybody)
    }

    /// Charges what this and `other` find together: for example an account and a route, or a key and an
    /// address.
    ///
    /// A request in which one of them finds nothing has no key.
    ///
    /// ```
    /// use http::HeaderName;
    /// use http::request::Parts;
    /// use larder_rate_limit::KeyBy;
    ///
    /// let route = KeyBy::from_fn(|parts: &Parts| Some(parts.uri.path().to_owned()));
    /// let key_by = KeyBy::header(HeaderName::from_static("x-api-key")).and(route);
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let prefixes = self.prefixes;
        let parts = match self {
            Self {
                source: Source::All(parts),
                fallback: None,
                ..
            } => parts.iter().cloned().chain([other]).collect(),
            one => [one, other].into(),
        };
        Self {
            prefixes,
            ..Self::by(Source::All(parts))
        }
    }

    /// Sets how many bits of an address identify a visitor.
    ///
    /// The default is 32 for IPv4 and 64 for IPv6. It applies to everything in this key so far: add it
    /// last.
    #[must_use]
    pub fn with_prefix_lengths(mut self, prefixes: PrefixLengths) -> Self {
        self.prefixes = prefixes;
        if let Source::All(parts) = &mut self.source {
            let each = parts.iter().cloned();
            *parts = each
                .map(|part| part.with_prefix_lengths(prefixes))
                .collect();
        }
        self.fallback = self
            .fallback
            .take()
            .map(|next| Arc::new(Arc::unwrap_or_clone(next).with_prefix_lengths(prefixes)));
        self
    }

    /// Tries `fallback` for a request in which this finds no key.
    #[must_use]
    pub fn or(mut self, fallback: Self) -> Self {
        let last = match self.fallback.take() {
            None => fallback,
            Some(next) => Arc::unwrap_or_clone(next).or(fallback),
        };
        self.fallback = Some(Arc::new(last));
        self
    }

    /// Returns the key of the record that `limiter` keeps for the visitor of this request.
    ///
    /// Each async function has [`DEFAULT_TIMEOUT`](crate::RateLimitLayer::DEFAULT_TIMEOUT), and needs a
    /// tokio runtime with the time driver enabled. None if no key is found.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn key(&self, limiter: &RateLimiter, parts: &Parts) -> Option<Key> {
        match self.find(limiter, RequestHead::of_parts(parts)) {
            Found::Now(key) => key,
            Found::Later(lookup) => lookup.key(limiter, parts, DEFAULT_TIMEOUT, &|| {}).await,
        }
    }

    /// Looks for a key, as far as possible without waiting.
    pub(crate) fn find(&self, limiter: &RateLimiter, request: RequestHead<'_>) -> Found {
        let key = match &self.source {
            Source::Address(address) => match address.find_in(request) {
                // Returned at once, because a key is large to move.
                Some(client) => {
                    let network = Network::with_lengths(client, self.prefixes);
                    return Found::Now(Some(limiter.key_of(network)));
                }
                None => None,
            },
            Source::Header(header) => header.find(limiter, request.headers),
            Source::Function(find) => request.parts.and_then(|parts| find(limiter, parts)),
            Source::User(_, is_there) if !is_there(request.extensions) => None,
            Source::AsyncFunction(_) | Source::User(..) => {
                return Found::Later(Lookup(self.clone()));
            }
            Source::Everybody => Some(limiter.key("everybody")),
            Source::All(parts) => match compound::find(parts, limiter, request) {
                Found::Now(key) => key,
                Found::Later(_) => return Found::Later(Lookup(self.clone())),
            },
        };
        match (key, &self.fallback) {
            (None, Some(fallback)) => fallback.find(limiter, request),
            (key, _) => Found::Now(key),
        }
    }

    /// Does once what is the same for every request that `limiter` decides about.
    pub(crate) fn prepared_for(mut self, limiter: &RateLimiter) -> Self {
        match &mut self.source {
            Source::Header(header) => header.prepare(limiter),
            Source::All(parts) => {
                let each = parts.iter().cloned();
                *parts = each.map(|part| part.prepared_for(limiter)).collect();
            }
            _ => {}
        }
        let fallback = self.fallback.take();
        self.fallback =
            fallback.map(|next| Arc::new(Arc::unwrap_or_clone(next).prepared_for(limiter)));
        self
    }

    /// Starts the async function of this source, if it has one.
    fn later<'a>(&'a self, limiter: &'a RateLimiter, parts: &'a Parts) -> Option<KeyFuture<'a>> {
        match &self.source {
            Source::AsyncFunction(find) | Source::User(find, _) => Some(find(limiter, parts)),
            _ => None,
        }
    }

    /// Returns whether a function of the application needs the whole head of a request.
    pub(crate) fn needs_parts(&self) -> bool {
        self.any(&|source| matches!(source, Source::Function(_)))
    }

    /// Returns whether the peer's address is looked for.
    pub(crate) fn needs_address(&self) -> bool {
        self.any(&|source| matches!(source, Source::Address(_)))
    }

    /// Returns whether the condition holds for one of the sources.
    fn any(&self, is_one: &dyn Fn(&Source) -> bool) -> bool {
        let is_inside = match &self.source {
            Source::All(parts) => parts.iter().any(|part| part.any(is_one)),
            source => is_one(source),
        };
        is_inside || self.fallback.as_ref().is_some_and(|next| next.any(is_one))
    }

    fn by(source: Source) -> Self {
        Self {
            source,
            prefixes: PrefixLengths::default(),
            fallback: None,
        }
    }
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.source {
            Source::Address(address) => address.name(),
            Source::Header(_) => "header",
            Source::Function(_) => "from_fn",
            Source::AsyncFunction(_) => "from_async_fn",
            Source::User(..) => "user",
            Source::Everybody => "everybody",
            Source::All(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    match at {
                        0 => write!(f, "{part:?}")?,
                        _ => write!(f, ".and({part:?})")?,
                    }
                }
                ""
            }
        };
        if !name.is_empty() {
            write!(f, "KeyBy::{name}")?;
        }
        match &self.fallback {
            Some(fallback) => write!(f, ".or({fallback:?})"),
            None => Ok(()),
        }
    }
}
