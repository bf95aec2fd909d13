use std::sync::Arc;

use larder_store::Store;
use tower_layer::Layer;

use crate::state::CacheState;
use crate::{Purger, ResponseCache, ResponseCacheBuilder};

/// Answers GET and HEAD requests from stored responses, as a shared cache of RFC 9111.
///
/// Its rules, in order:
///
/// 1. A request bypasses the cache if one of these holds:
///    - its method is neither GET nor HEAD;
///    - it has content: a header that frames content, or over HTTP/2 a body that has not ended;
///    - it has `no-store`, `If-Match`, `If-Unmodified-Since`, `Expect` or `A-IM`;
///    - it asks for an upgrade, gRPC or an event stream;
///    - its `Connection` names headers for a proxy to remove;
///    - its host is missing or ambiguous;
///    - in the safe profile, it asks for another method or path than its own
///      (`X-HTTP-Method-Override`).
/// 2. The key is the scheme, the host, and the exact path and query that the client asked for, then the
///    headers that `Vary` and [`ResponseCacheBuilder::with_key_field`] name (RFC 9111, 2 and 4.1).
/// 3. A fresh response is served with `Age` and `Cache-Status` (RFC 9111, 4.2): as a 304 if the client has
///    it already (4.3.2), as a part if the request asks for a range, and without its body for a HEAD. The
///    request may ask for a fresher response, or accept a staler one (5.2.1).
/// 4. A stale response is served within `stale-while-revalidate`, while one request validates it in the
///    background (RFC 5861, 3). After a failure the origin is left alone for a second or two.
/// 5. Otherwise the request is forwarded to the inner service. A stored response with a validator is
///    validated (RFC 9111, 4.3.1). Without one the complete response is fetched, and a 304 for the client
///    is made by the cache; in [`Profile::Rfc`](crate::Profile::Rfc) the client's preconditions are forwarded. Of
///    concurrent requests for the same response one is forwarded. The others wait for it, at most for
///    [`ResponseCacheBuilder::with_wait_timeout`], unless the response is known not to be shareable. A
///    request for a range is forwarded unchanged, unless it validates a stored response.
/// 6. A response is stored if RFC 9111, 3 permits it for a shared cache, the [profile](crate::Profile)
///    permits it too, it depends only on the key, and it is complete and not too large. Of several the
///    newest is kept. A response that is not stored may remove the one that it would have replaced (4.3.3).
///    A body that is ready is stored, and then sent with its headers and its length. Any other body streams
///    to the client, and is stored on the way if that is permitted.
/// 7. If the inner service fails, a stale response is served within `stale-if-error` (RFC 5861, 4), and
///    after an `Err` also within [`ResponseCacheBuilder::with_stale_while_disconnected`], unless the response
///    forbids it.
/// 8. A 200 to a HEAD updates the 200 that is stored for GET. If the content has changed, or another status is
///    stored, it removes the stored response (RFC 9111, 4.3.5).
/// 9. A successful response to an unsafe request removes the responses that are stored for its URI, and
///    for the URIs of the same origin that `Location` and `Content-Location` name (RFC 9111, 4.4). If there
///    is no response, because the client disconnected or the inner service failed, the one for its own URI
///    is removed. A POST of gRPC removes nothing.
/// 10. Every response from the inner service says in `Cache-Status` that it is stored, or why it is not
///     (`detail`; RFC 9211, 2.8). gRPC is left unchanged.
///
/// If the store fails, the inner service answers, as if there were no store. Each store operation takes at
/// most [`ResponseCacheBuilder::with_store_timeout`], and failures are counted.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use larder_response_cache::{Purger, ResponseCacheLayer};
/// use larder_store::{Result, Store};
///
/// fn pages(store: Arc<dyn Store>) -> Result<(ResponseCacheLayer, Purger)> {
///     let layer = ResponseCacheLayer::builder(store)
///         .with_ignored_query_names(["utm_source", "utm_medium"])
///         .with_near_ttl(Duration::from_secs(2))
///         .build()?;
///     let purger = layer.purger();
///     Ok((layer, purger))
/// }
///
/// async fn film_changed(purger: Purger) -> Result<()> {
///     purger.purge_tag("films").await // after the change was committed
/// }
/// ```
///
/// # Deployment caveats
/// Place the layer outside everything that makes responses personal, above all sessions, and inside
/// compression. Behind a proxy that terminates TLS, set [`ResponseCacheBuilder::with_scheme`]. The layer
/// needs a tokio runtime.
#[derive(Clone)]
pub struct ResponseCacheLayer {
    cache: Arc<CacheState>,
}

impl ResponseCacheLayer {
    /// Makes a layer on `store` with the default options.
    pub fn new(store: Arc<dyn Store>) -> Self {
        ResponseCacheBuilder::new(store).build_unchecked()
    }

    /// Makes a builder for a layer on `store`.
    pub fn builder(store: Arc<dyn Store>) -> ResponseCacheBuilder {
        ResponseCacheBuilder::new(store)
    }

    pub(crate) fn from_state(cache: CacheState) -> Self {
        Self {
            cache: Arc::new(cache),
        }
    }

    /// Returns a purger, which removes stored responses by URI or by tag.
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
            .field("profile", &self.cache.policy().profile)
            .finish_non_exhaustive()
    }
}
