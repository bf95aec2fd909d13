use std::fmt;
use std::future::Future;
use std::sync::Arc;

use larder_store::{IdWriter, KeyId, Kind, Result, Ttl};

use crate::{Cache, CacheBuilder, Found, LoadContext, LoadError, Loaded, ReadOptions};

/// The key of a [`Cached`] value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Only;

impl KeyId for Only {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text("only");
    }
}

/// Caches one value that has no key: settings, a list of features, a set of public keys.
///
/// It has the same guarantees as a [`Cache`]. Clones are cheap and share everything.
///
/// ```
/// use std::convert::Infallible;
///
/// use larder_cache::Cached;
/// use larder_store::{Kind, Ttl};
///
/// const SETTINGS: Kind = Kind::evictable("settings");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings: Cached<String> = Cached::builder(SETTINGS, Ttl::from_secs(60)).build()?.into();
/// let read = settings.get_or_load(|| async { Ok::<_, Infallible>("dark".to_owned()) }).await?;
/// assert_eq!(*read, "dark");
/// # Ok(())
/// # }
/// ```
pub struct Cached<V> {
    cache: Cache<Only, V>,
}

impl<V: Send + Sync + 'static> Cached<V> {
    /// Returns a builder of a cache for one value that lives for `ttl`, under a `kind` of its own.
    ///
    /// The result of `build` converts into a `Cached`.
    pub fn builder(kind: Kind, ttl: Ttl) -> CacheBuilder<Only, V> {
        Cache::builder(kind, ttl).with_max_near_entries(1)
    }

    /// Returns the cache that holds the value, under the key [`Only`]. Use it for tags, and for APIs that take a
    /// [`Cache`].
    pub fn cache(&self) -> &Cache<Only, V> {
        &self.cache
    }

    /// Returns the near value, without waiting, a round trip or an allocation.
    pub fn get_near(&self) -> Option<Arc<V>> {
        self.cache.get_near(&Only)
    }

    /// Returns the cached value, as [`Cache::get`] does.
    pub async fn get(&self) -> Option<Arc<V>> {
        self.cache.get(&Only).await
    }

    /// Does the same as [`get`](Self::get), and reports where the value came from, as [`Cache::find`] does.
    pub async fn find(&self) -> Option<Found<V>> {
        self.cache.find(&Only).await
    }

    /// Returns the cached value or loads it, as [`Cache::get_or_load`] does.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn get_or_load<F, Fut, E>(&self, load: F) -> Result<Arc<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        self.cache.get_or_load(&Only, load).await
    }

    /// Does the same as [`get_or_load`](Self::get_or_load), and reports where the value came from, as
    /// [`Cache::find_or_load`] does.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn find_or_load<F, Fut, L, E>(&self, load: F) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.cache.find_or_load(&Only, load).await
    }

    /// Does the same with other options, as [`Cache::find_or_load_with`] does.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn find_or_load_with<F, Fut, L, E>(
        &self,
        options: ReadOptions,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.cache.find_or_load_with(&Only, options, load).await
    }

    /// Does the same with a loader that gets the value that it replaces, as
    /// [`Cache::refresh_or_load`] does.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn refresh_or_load<F, Fut, L, E>(&self, load: F) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.cache.refresh_or_load(&Only, load).await
    }

    /// Stores a value, as [`Cache::insert`] does.
    ///
    /// # Errors
    /// Those of [`Cache::insert`].
    pub async fn insert(&self, value: impl Into<Arc<V>>) -> Result<()> {
        self.cache.insert(Only, value).await
    }

    /// Removes the value, as [`Cache::remove`] does.
    ///
    /// # Errors
    /// Those of [`Cache::remove`].
    pub async fn remove(&self) -> Result<()> {
        self.cache.remove(&Only).await
    }

    /// Ends the freshness of the value, as [`Cache::expire`] does.
    ///
    /// # Errors
    /// Those of [`Cache::remove`].
    pub async fn expire(&self) -> Result<()> {
        self.cache.expire(&Only).await
    }
}

impl<V> From<Cache<Only, V>> for Cached<V> {
    fn from(cache: Cache<Only, V>) -> Self {
        Self { cache }
    }
}

impl<V> Clone for Cached<V> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
        }
    }
}

impl<V> fmt::Debug for Cached<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cached").field(&self.cache).finish()
    }
}
