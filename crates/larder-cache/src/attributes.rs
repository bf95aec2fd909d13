//! Supports the expansion of the attributes of `larder-macros`. It may change in any release.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use larder_layer::tags::{Tag, TagChange};
use larder_store::{Result, Ttl};
use tokio::runtime::Handle;

use crate::spawn::spawn;
use crate::{Cache, CacheKey, LoadError, Loaded};

/// How long to keep the value of one load, as its attribute says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    ttl: Option<Ttl>,
    tags: Vec<Tag>,
}

impl Settings {
    /// Makes settings that leave everything to the cache and the loader.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the TTL of the value.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Adds tags.
    #[must_use]
    pub fn with_tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(hashed(tags));
        self
    }

    fn apply<V>(self, mut loaded: Loaded<V>) -> Loaded<V> {
        loaded.tags.extend(self.tags);
        match self.ttl {
            // The loader's choice for this value takes precedence. A value that was not found has the
            // negative TTL.
            Some(ttl) if loaded.has_usual_ttl() && !loaded.is_not_found() => loaded.with_ttl(ttl),
            _ => loaded,
        }
    }
}

/// Names the types of a `Result` behind an alias.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, although its name ends in `Result`",
    label = "#[cached] takes this for a `Result`",
    note = "name it by an alias that ends otherwise, such as `type Found = SearchResult`, or return it in a `Result`"
)]
pub trait AnyResult {
    /// The type of `Ok`.
    type Value;
    /// The type of `Err`.
    type Error;
}

impl<V, E> AnyResult for Result<V, E> {
    type Value = V;
    type Error = E;
}

/// Returns a plain value as the result of a loader.
pub fn value<V>(value: V) -> Result<V, Infallible> {
    Ok(value)
}

/// Returns a `Result` as the result of a loader.
pub fn result<V, E>(result: Result<V, E>) -> Result<V, E> {
    result
}

/// Returns an `Option` as the result of a loader.
pub fn option<V>(option: Option<V>) -> Result<Option<V>, Infallible> {
    Ok(option)
}

/// Returns a `Result` of an `Option` as the result of a loader.
pub fn result_of_option<V, E>(result: Result<Option<V>, E>) -> Result<Option<V>, E> {
    result
}

/// The call of a cached function.
#[derive(Debug)]
pub struct Call<'a, K, V> {
    cache: &'a Cache<K, V>,
    key: &'a K,
}

impl<'a, K: CacheKey, V: Send + Sync + 'static> Call<'a, K, V> {
    /// Makes the call for `key`.
    pub fn new(cache: &'a Cache<K, V>, key: &'a K) -> Self {
        Self { cache, key }
    }

    /// Returns the cached value, or loads it.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn load<F, Fut, L, E>(self, load: F) -> Result<Arc<V>, LoadError<E>>
    where
        F: FnOnce() -> (Settings, Fut),
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let load = || {
            let (settings, load) = load();
            async move { load.await.map(|loaded| settings.apply(loaded.into())) }
        };
        let found = self.cache.find_or_load(self.key, load).await?;
        Ok(found.value)
    }

    /// Does the same for a loader that may find nothing.
    ///
    /// # Errors
    /// Those of [`Cache::get_or_load`].
    pub async fn load_optional<F, Fut, L, E>(self, load: F) -> Result<Option<Arc<V>>, LoadError<E>>
    where
        F: FnOnce() -> (Settings, Fut),
        Fut: Future<Output = Result<Option<L>, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let load = || {
            let (settings, load) = load();
            async move {
                let loaded = load.await?.map_or_else(Loaded::not_found, Into::into);
                Ok(settings.apply(loaded))
            }
        };
        match self.cache.find_or_load(self.key, load).await {
            Ok(found) => Ok(Some(found.value)),
            Err(LoadError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The removal of a key whose source is being changed.
///
/// If it is dropped, the value is removed too: the change may have been made.
#[derive(Debug)]
pub struct Removal<K: CacheKey, V: Send + Sync + 'static> {
    cache: Cache<K, V>,
    key: Option<K>,
    tags: Vec<Tag>,
}

impl<K: CacheKey, V: Send + Sync + 'static> Removal<K, V> {
    /// Begins a removal, before the source is changed.
    pub fn begin(cache: &Cache<K, V>, key: Option<K>) -> Self {
        Self {
            cache: cache.clone(),
            key,
            tags: Vec::new(),
        }
    }

    /// Removes the values with these tags too.
    #[must_use]
    pub fn with_tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(hashed(tags));
        self
    }

    /// Removes the value.
    ///
    /// # Errors
    /// Those of [`Cache::remove`].
    ///
    /// # Cancellation
    /// A dropped call removes the near copy, and leaves the far one to a task.
    pub async fn finish(mut self) -> Result<()> {
        let removed = remove(&self.cache, self.key.as_ref(), &self.tags).await;
        self.key = None;
        self.tags.clear();
        removed
    }

    /// Removes nothing: the new value is cached.
    pub(crate) fn forget(mut self) {
        self.key = None;
        self.tags.clear();
    }

    /// Does the same as [`finish`](Self::finish), and logs an error.
    pub async fn finish_or_log(self) {
        let kind = self.cache.inner.kind.name();
        log(kind, self.finish().await);
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Removal<K, V> {
    fn drop(&mut self) {
        let (key, tags) = (self.key.take(), std::mem::take(&mut self.tags));
        if key.is_none() && tags.is_empty() {
            return;
        }
        if let Some(key) = &key {
            self.cache.inner.invalidate(key);
        }
        self.cache.inner.sweep(&tags, TagChange::Remove);
        let Ok(runtime) = Handle::try_current() else {
            // The far store cannot be reached here: the next call in a runtime removes the value there.
            self.cache.inner.quarantine_far(key, &tags);
            return;
        };
        let cache = self.cache.clone();
        spawn(&runtime, async move {
            let removed = remove(&cache, key.as_ref(), &tags).await;
            log(cache.inner.kind.name(), removed);
        });
    }
}

async fn remove<K: CacheKey, V: Send + Sync + 'static>(
    cache: &Cache<K, V>,
    key: Option<&K>,
    tags: &[Tag],
) -> Result<()> {
    let removed = match key {
        Some(key) => cache.remove(key).await,
        None => Ok(()),
    };
    // Each is tried, even if the other failed.
    if tags.is_empty() {
        return removed;
    }
    let changed = cache.change_tags(tags, TagChange::Remove).await;
    removed.and(changed)
}

fn hashed<T: AsRef<str>>(tags: impl IntoIterator<Item = T>) -> impl Iterator<Item = Tag> {
    tags.into_iter().map(|tag| Tag::new(tag.as_ref()))
}

fn log(kind: &'static str, removed: Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(kind, %error, "a value was not removed from the far store");
    }
}
