use std::sync::Arc;

use larder_store::Store;
use tower_layer::Layer;

use crate::state::CacheState;
use crate::{Purger, ResponseCache, ResponseCacheBuilder};

/// Answers GET and HEAD requests from what was answered before, by the rules of RFC 9111 for a
/// shared cache, on any larder store.
///
/// Its rules, in order:
///
/// 1. A request is none of its business, and goes through, where it has a method other than GET and
///    HEAD, content (a field that frames it, or over HTTP/2 a body that has not ended), `no-store`,
///    `If-Match`, `If-Unmodified-Since`, `Expect` or `A-IM`, where it asks for
///    an upgrade, gRPC or an event stream, where its `Connection` names fields that are to be taken
///    away, or where its host is in doubt; in the safe profile also where it asks for another method
///    or path than its own (`X-HTTP-Method-Override`).
/// 2. The key is the scheme, the host and the exact path and query that the client asked for, then
///    the fields that `Vary` and [`ResponseCacheBuilder::with_key_field`] name (RFC 9111, 2 and 4.1).
/// 3. What is fresh is served (RFC 9111, 4.2), with `Age` and `Cache-Status`, as a 304 where the
///    request permits it (4.3.2), as a part where it asks for one, without its body for a HEAD. The
///    request may ask for something fresher, or take something staler (5.2.1).
/// 4. What is stale is served within `stale-while-revalidate` while one request validates it in the
///    background (RFC 5861, 3).
/// 5. Otherwise the inner service is asked, by what is stored if there is a validator (RFC 9111,
///    4.3.1), otherwise for the whole: a 304 to the client is made here (by
///    [`Profile::Rfc`](crate::engine::Profile) its conditions go on as they are). Of requests that come at the
///    same time for the same response one asks and the others wait, once and for no longer than
///    [`ResponseCacheBuilder::with_wait_timeout`], unless it is known that the response cannot be shared. A part is asked
///    for as it is.
/// 6. A response is stored where RFC 9111, 3 permits it for a shared cache, the
///    [profile](crate::engine::Profile) too, it depends on nothing but the key, and it is complete and
///    not too large. Of several the newest is kept. What comes in place of a stored response, and is
///    not stored, may take that away (4.3.3). A body that is ready is stored, and then sent with its
///    head and its length; one that is not streams to the one who asked while it is being stored; all
///    else streams through.
/// 7. Where the inner service fails, what is stale is served within `stale-if-error` (RFC 5861, 4),
///    unless it forbids that.
/// 8. A 200 to a HEAD brings what is stored for GET up to date, or takes it away where it is of other
///    content (RFC 9111, 4.3.5).
/// 9. A response to an unsafe request that is no error makes what is stored for its URI invalid, and
///    for the URIs of the same origin that `Location` and `Content-Location` name (RFC 9111, 4.4).
///    Where there is no response, as the client hung up or the inner service failed, its own URI is
///    made invalid. A POST of gRPC makes nothing invalid.
/// 10. Every response from the inner service says in `Cache-Status` that it is stored, or why it is
///     not, as `detail` (RFC 9211, 2.8). gRPC is left as it is.
///
/// A store that fails is as if there were none: requests are answered by the inner service, and each
/// question to the store, which is counted, takes at most its deadline.
///
/// # Deployment
/// Put it outside of whatever makes responses personal, sessions above all, and inside of
/// compression. Behind a proxy that ends TLS say [`ResponseCacheBuilder::with_scheme`]. It needs a tokio runtime.
#[derive(Clone)]
pub struct ResponseCacheLayer {
    cache: Arc<CacheState>,
}

impl ResponseCacheLayer {
    /// A layer on `store` with every default.
    pub fn new(store: Arc<dyn Store>) -> Self {
        ResponseCacheBuilder::new(store).unchecked()
    }

    /// Begins a layer on `store`.
    pub fn builder(store: Arc<dyn Store>) -> ResponseCacheBuilder {
        ResponseCacheBuilder::new(store)
    }

    pub(crate) fn from_shared(cache: CacheState) -> Self {
        let cache = Arc::new(cache);
        Self { cache }
    }

    /// What removes stored responses, by URI or by tag.
    pub fn purger(&self) -> Purger {
        Purger::new(self.cache.clone())
    }
}

impl<S> Layer<S> for ResponseCacheLayer {
    type Service = ResponseCache<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResponseCache::new(inner, self.cache.clone())
    }
}

impl std::fmt::Debug for ResponseCacheLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseCacheLayer")
            .field("profile", &self.cache.policy.profile)
            .finish_non_exhaustive()
    }
}
