use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use tower_service::Service;

use super::LoaderFuture;
use crate::kept::Near;
use crate::{Cache, CacheKey, Found, LoadError, ReadOptions};

/// Caches the responses of a service. [`LoaderLayer`](super::LoaderLayer) makes one.
///
/// # Readiness
/// It is always ready, because a hit does not need the inner service and must not reserve capacity
/// there. A miss waits for the inner service in a task, within the cache's load timeout; the
/// cache's maximum number of loads limits how many wait.
pub struct Loader<S, K, V> {
    inner: S,
    cache: Cache<K, V>,
}

impl<S, K, V> Loader<S, K, V> {
    /// Puts `cache` in front of `inner`.
    pub fn new(inner: S, cache: Cache<K, V>) -> Self {
        Self { inner, cache }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, K, V> Service<K> for Loader<S, K, V>
where
    S: Service<K, Response = V> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + Sync + 'static,
    K: CacheKey,
    V: Send + Sync + 'static,
{
    type Response = Found<V>;
    type Error = LoadError<S::Error>;
    type Future = LoaderFuture<V, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: K) -> Self::Future {
        let look = self.cache.inner.look_near(&request);
        if let Near::Hit(kept) = &look
            && let Some(found) = self.cache.hit(kept)
        {
            return LoaderFuture::near(found);
        }
        let (cache, service) = (self.cache.clone(), self.inner.clone());
        LoaderFuture::miss(async move {
            let options = ReadOptions::new();
            cache
                .serve(look, &request, options, |_| {
                    call_when_ready(service, request.clone())
                })
                .await
        })
    }
}

async fn call_when_ready<S: Service<K>, K>(
    mut service: S,
    request: K,
) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

impl<S: Clone, K, V> Clone for Loader<S, K, V> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.cache.clone())
    }
}

impl<S: fmt::Debug, K, V> fmt::Debug for Loader<S, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("inner", &self.inner)
            .field("cache", &self.cache)
            .finish()
    }
}
