//! Opens the store that `STORE_URL` names, in this process or in Redis.

use std::sync::Arc;

use larder::redis::RedisStore;
use larder::{Key, Kind, Namespace, Prefixed, Store};

use crate::config::Config;
use crate::errors::StartError;

/// A key that is never written; reading it shows whether the store answers. It is pinned, because over
/// shards an evictable key of a lost server reads as absent.
const PROBE: Kind = Kind::pinned("probe");

/// The store of the app.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The Redis store behind it, unless the store is in this process: the operators' page examines
    /// the servers.
    pub(crate) redis: Option<Arc<RedisStore>>,
}

/// Opens the store. Every key of the app begins with the environment and `matinee:`.
pub(crate) async fn open(config: &Config) -> Result<Opened, StartError> {
    let namespace = Namespace::new(&config.environment, "matinee")?;
    let url = config.store_url.expose();
    let redis = match config.store_url.is_redis() {
        true => Some(Arc::new(RedisStore::connect(url).await?)),
        false => None,
    };
    let store = match &redis {
        Some(redis) => redis.clone(),
        None => larder::connect(url).await?,
    };
    let store = Arc::new(Prefixed::new(namespace, store));
    Ok(Opened { store, redis })
}

/// Checks that the store answers.
pub(crate) async fn answers(store: &dyn Store) -> larder::Result<()> {
    store.get(&Key::new(PROBE, "ready")).await.map(drop)
}
