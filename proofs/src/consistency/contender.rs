//! The caches that are compared: larder in two forms, and what is often used in its place.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, Loaded};
use larder_store::{Delete, Entry, Key, Kind, Put, Store, Ttl};
use serde::{Deserialize, Serialize};

const FILM: Kind = Kind::evictable("film");
const MINUTE: Ttl = Ttl::from_secs(60);

/// How long a near copy may stay: the declared bound of a cache with two tiers.
pub const NEAR_TTL: Duration = Duration::from_millis(500);

/// A cache to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contender {
    /// larder, with the far store alone.
    Far,
    /// larder, with both tiers and the bus.
    Tiers,
    /// A read, a load and a plain write, as they are often written by hand.
    CacheAside,
    /// moka's `get_with`, which caches in its process alone, for as long as larder's near tier.
    Moka,
}

impl Contender {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Far, Self::Tiers, Self::CacheAside, Self::Moka];

    /// Returns its name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Far => "larder, far only",
            Self::Tiers => "larder, near and far",
            Self::CacheAside => "get, load, put",
            Self::Moka => "moka `get_with`",
        }
    }

    /// Returns whether it uses the store, and so notices trouble on the way to it.
    #[must_use]
    pub const fn has_connections(self) -> bool {
        !matches!(self, Self::Moka)
    }

    /// Makes one in a process that shares `store` with the others.
    ///
    /// # Panics
    /// If larder refuses the settings.
    #[must_use]
    pub fn on(self, store: Arc<dyn Store>) -> Caching {
        let cache = Cache::builder(FILM, MINUTE)
            .with_far(store.clone())
            .with_clear();
        match self {
            Self::Far => Caching::Larder(cache.without_near().build().expect("a cache")),
            Self::Tiers => {
                let cache = cache.with_near_ttl(NEAR_TTL).build();
                Caching::Larder(cache.expect("a cache"))
            }
            Self::CacheAside => Caching::Aside(store),
            Self::Moka => {
                let cache = moka::future::Cache::builder().time_to_live(NEAR_TTL);
                Caching::Moka(cache.build())
            }
        }
    }
}

/// How values are invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Each key by a call of its own.
    Remove,
    /// All keys by one call.
    RemoveMany,
    /// All keys by one call, which keeps their values for loads that fail: here none fails.
    Expire,
    /// All keys with the tag of the first, by their tag. Pass all of them.
    RemoveTag,
    /// The same, which keeps their values for loads that fail.
    ExpireTag,
    /// All keys. Pass all of them.
    Clear,
}

/// The number of tags. Each key has one of them.
pub(super) const TAGS: u32 = 4;

fn tag_of(key: u32) -> String {
    format!("shelf {}", key % TAGS)
}

fn tagged(key: u32, version: Option<u64>) -> Loaded<u64> {
    version.map_or_else(Loaded::not_found, |version| {
        Loaded::new(version).with_tags([tag_of(key)])
    })
}

/// The cache of one process. Values are the versions that the source has.
#[derive(Clone)]
pub enum Caching {
    /// larder.
    Larder(Cache<u32, u64>),
    /// A store and nothing else.
    Aside(Arc<dyn Store>),
    /// moka.
    Moka(moka::future::Cache<u32, u64>),
}

impl Caching {
    /// Returns the value of `key`, cached or loaded. None if it could not be loaded.
    pub async fn get_or_load<Fut>(&self, key: u32, load: impl FnOnce() -> Fut) -> Option<u64>
    where
        Fut: Future<Output = Option<u64>> + Send + 'static,
    {
        match self {
            Self::Larder(cache) => {
                let load = load();
                let load = || async move { Ok::<_, Infallible>(tagged(key, load.await)) };
                cache.find_or_load(&key, load).await.ok().map(|it| *it)
            }
            Self::Aside(store) => match store.get(&Key::new(FILM, key)).await {
                Ok(Some(entry)) => version_of(&entry),
                Ok(None) | Err(_) => {
                    let version = load().await?;
                    // Its caller has the value all the same.
                    let _ = store.put(&put(key, version)).await;
                    Some(version)
                }
            },
            Self::Moka(cache) => cache.optionally_get_with(key, load()).await,
        }
    }

    /// Returns the cached value of `key`.
    pub async fn get(&self, key: u32) -> Option<u64> {
        match self {
            Self::Larder(cache) => cache.get(&key).await.map(|version| *version),
            Self::Aside(store) => version_of(&store.get(&Key::new(FILM, key)).await.ok()??),
            Self::Moka(cache) => cache.get(&key).await,
        }
    }

    /// Returns the values of some keys together.
    pub async fn get_or_load_many<Fut>(
        &self,
        keys: &[u32],
        load: impl Fn(u32) -> Fut + Clone + Send + Sync + 'static,
    ) -> Vec<Option<u64>>
    where
        Fut: Future<Output = Option<u64>> + Send + 'static,
    {
        if let Self::Larder(cache) = self {
            let load_many = move |keys: Vec<u32>| {
                let load = load.clone();
                async move {
                    let mut loaded = Vec::new();
                    for key in keys {
                        let version = load(key).await;
                        loaded.push((key, Ok::<_, Infallible>(tagged(key, version))));
                    }
                    Ok(loaded)
                }
            };
            let found = cache.get_or_load_many(keys, load_many).await;
            return found.into_iter().map(|it| it.ok().map(|it| *it)).collect();
        }
        let mut found = Vec::new();
        for key in keys {
            found.push(self.get_or_load(*key, || load(*key)).await);
        }
        found
    }

    /// Stores a value that the source has already. Returns whether that was acknowledged.
    pub async fn insert(&self, key: u32, version: u64) -> bool {
        match self {
            Self::Larder(cache) => {
                let inserted = cache.insert_with_tags(key, version, [tag_of(key)]);
                inserted.await.is_ok()
            }
            Self::Aside(store) => store.put(&put(key, version)).await.is_ok(),
            Self::Moka(cache) => {
                cache.insert(key, version).await;
                true
            }
        }
    }

    /// Invalidates the values of some keys. Returns for which of them that was acknowledged.
    pub async fn invalidate(&self, keys: &[u32], change: Change) -> Vec<bool> {
        match (self, change) {
            (Self::Larder(cache), Change::RemoveMany) => {
                acknowledged(cache.remove_many(keys).await)
            }
            (Self::Larder(cache), Change::RemoveTag) => {
                let removed = cache.remove_tag(tag_of(keys[0])).await;
                vec![removed.is_ok(); keys.len()]
            }
            (Self::Larder(cache), Change::ExpireTag) => {
                let expired = cache.expire_tag(tag_of(keys[0])).await;
                vec![expired.is_ok(); keys.len()]
            }
            (Self::Larder(cache), Change::Clear) => {
                let cleared = cache.clear().await;
                vec![cleared.is_ok(); keys.len()]
            }
            (Self::Larder(cache), Change::Expire) => acknowledged(cache.expire_many(keys).await),
            _ => {
                let mut done = Vec::new();
                for key in keys {
                    done.push(self.remove(*key).await);
                }
                done
            }
        }
    }

    async fn remove(&self, key: u32) -> bool {
        match self {
            Self::Larder(cache) => cache.remove(&key).await.is_ok(),
            Self::Aside(store) => {
                let delete = Delete::new(Key::new(FILM, key));
                store.delete(&delete).await.is_ok()
            }
            Self::Moka(cache) => {
                cache.invalidate(&key).await;
                true
            }
        }
    }
}

fn acknowledged(results: Vec<larder_store::Result<()>>) -> Vec<bool> {
    results.iter().map(Result::is_ok).collect()
}

fn put(key: u32, version: u64) -> Put {
    Put::new(Key::new(FILM, key), version.to_string(), MINUTE)
}

/// Returns the version that the bytes of an entry name.
pub(super) fn version_of(entry: &Entry) -> Option<u64> {
    std::str::from_utf8(&entry.value).ok()?.parse().ok()
}
