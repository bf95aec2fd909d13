use std::fmt;

use tower_layer::Layer;

use super::Loader;
use crate::Cache;

/// Puts a [`Cache`] in front of any tower service: the request is the key, the response the value.
///
/// 1. A near hit is answered at once, whether the service is ready or not.
/// 2. Equal requests that miss share one call of the service, in its own task.
/// 3. The call is made on a clone that was polled until it was ready.
/// 4. An error of the service reaches every waiting caller as
///    [`LoadError::Loader`](crate::LoadError::Loader), and is not cached.
///
/// Do not use it for HTTP, where headers say how a response may be reused. Use it for services
/// whose response depends on the request alone.
///
/// ```
/// use std::convert::Infallible;
///
/// use larder_cache::{Cache, LoaderLayer};
/// use larder_store::{Kind, Ttl};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// const SQUARE: Kind = Kind::evictable("square");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let squares = Cache::builder(SQUARE, Ttl::from_secs(60)).build()?;
/// let service = ServiceBuilder::new()
///     .layer(LoaderLayer::new(squares))
///     .service(service_fn(|n: u32| async move { Ok::<_, Infallible>(n * n) }));
/// assert_eq!(*service.oneshot(12).await?.value, 144);
/// # Ok(())
/// # }
/// ```
pub struct LoaderLayer<K, V> {
    cache: Cache<K, V>,
}

impl<K, V> LoaderLayer<K, V> {
    /// Makes a layer whose services share `cache`.
    pub fn new(cache: Cache<K, V>) -> Self {
        Self { cache }
    }
}

impl<S, K, V> Layer<S> for LoaderLayer<K, V> {
    type Service = Loader<S, K, V>;

    fn layer(&self, inner: S) -> Self::Service {
        Loader::new(inner, self.cache.clone())
    }
}

impl<K, V> Clone for LoaderLayer<K, V> {
    fn clone(&self) -> Self {
        Self::new(self.cache.clone())
    }
}

impl<K, V> fmt::Debug for LoaderLayer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoaderLayer")
            .field("cache", &self.cache)
            .finish()
    }
}
