//! Who is charged for a request.

mod lookup;
mod nets;
mod network;
mod peer;
mod proxies;
mod seen;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName};
use larder_store::{Identity, Key, KeyId};

use crate::RateLimiter;

pub use lookup::FindKey;
use lookup::KeyFuture;
pub(crate) use lookup::{Found, Lookup};
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
type Later = dyn for<'a> Fn(&'a RateLimiter, &'a Parts) -> KeyFuture<'a> + Send + Sync;

#[derive(Clone)]
enum Source {
    Peer(FindPeer),
    Forwarded(Arc<TrustedProxies>),
    Header(HeaderName),
    Own(Arc<Own>),
    Async(Arc<Later>),
    User(Arc<Later>, fn(&Extensions) -> bool),
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

    /// Charges whatever the async function `find` finds, such as a row of a database.
    ///
    /// It may take as long as the layer's [timeout](crate::RateLimitLayer::with_timeout); past that it
    /// found nothing, which is counted. It is dropped with the request.
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
        Self::by(Source::Async(Arc::new(move |limiter, parts| {
            let found = find.find(parts);
            Box::pin(async move { Some(limiter.key(("own", found.await?))) })
        })))
    }

    /// Charges the user who is signed in, as `T` among the request's extensions tells: larder's own
    /// `Session`, or any other [`Identity`].
    ///
    /// A request of nobody's, one that has no `T`, and one whose user cannot be told within the layer's
    /// [timeout](crate::RateLimitLayer::with_timeout) has no key: say what is charged then by
    /// [`or`](Self::or). The layer that knows the user has to be outside of the limit. To ask a session
    /// who is signed in is to use it, so responses vary by cookie: put such a limit on routes that use
    /// the session anyway.
    ///
    /// ```
    /// use larder_rate_limit::KeyBy;
    /// use larder_session::Session;
    ///
    /// let key_by = KeyBy::user::<Session>().or(KeyBy::peer());
    /// ```
    pub fn user<T: Identity>() -> Self {
        let later: Arc<Later> = Arc::new(|limiter, parts| {
            let identity = parts.extensions.get::<T>();
            Box::pin(async move { Some(limiter.key(("user", identity?.identify().await?))) })
        });
        let is_there = |extensions: &Extensions| extensions.get::<T>().is_some();
        Self::by(Source::User(later, is_there))
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
    ///
    /// What has to be waited for is given
    /// [`DEFAULT_TIMEOUT`](crate::RateLimitLayer::DEFAULT_TIMEOUT) each, and needs a tokio runtime with
    /// its time enabled.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn key(&self, limiter: &RateLimiter, parts: &Parts) -> Option<Key> {
        match self.find(limiter, Seen::of_parts(parts)) {
            Found::Now(key) => key,
            Found::Later(lookup) => {
                let timeout = crate::RateLimitLayer::DEFAULT_TIMEOUT;
                lookup.key(limiter, parts, timeout, || {}).await
            }
        }
    }

    /// Looks for a key as far as that takes no waiting.
    pub(crate) fn find(&self, limiter: &RateLimiter, seen: Seen<'_>) -> Found {
        let key = match &self.source {
            Source::Peer(find) => find(seen.extensions).map(|peer| ip(limiter, peer)),
            Source::Forwarded(proxies) => proxies.client_in(seen).map(|client| ip(limiter, client)),
            Source::Header(name) => header(limiter, name, seen.headers),
            Source::Own(find) => seen.parts.and_then(|parts| find(limiter, parts)),
            Source::User(_, is_there) if !is_there(seen.extensions) => None,
            Source::Async(_) | Source::User(..) => return Found::Later(Lookup(self.clone())),
            Source::Everybody => Some(limiter.key(("own", "everybody"))),
        };
        match (key, &self.otherwise) {
            (None, Some(otherwise)) => otherwise.find(limiter, seen),
            (key, _) => Found::Now(key),
        }
    }

    /// What has to be waited for, if this source is such a one.
    fn later<'a>(&'a self, limiter: &'a RateLimiter, parts: &'a Parts) -> Option<KeyFuture<'a>> {
        match &self.source {
            Source::Async(find) | Source::User(find, _) => Some(find(limiter, parts)),
            _ => None,
        }
    }

    /// Whether a function of the app's own has to be shown the whole head of a request at once.
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
            Source::Async(_) => "KeyBy::from_async_fn",
            Source::User(..) => "KeyBy::user",
            Source::Everybody => "KeyBy::everybody",
        })?;
        match &self.otherwise {
            Some(otherwise) => write!(f, ".or({otherwise:?})"),
            None => Ok(()),
        }
    }
}
