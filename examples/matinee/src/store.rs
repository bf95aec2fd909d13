//! Opens the store that `STORE_URL` names, in this process or in Redis.

use std::sync::Arc;

use larder::{Key, Kind, Namespace, Prefixed, Store};

use crate::config::Config;
use crate::errors::StartError;

/// A key that is never written: reading it shows that the store answers.
const PROBE: Kind = Kind::evictable("probe");

/// Opens the store. Every key of the app begins with the environment and `matinee:`.
pub(crate) async fn open(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let namespace = Namespace::new(&config.environment, "matinee")?;
    let store = larder::connect(config.store_url.expose()).await?;
    Ok(Arc::new(Prefixed::new(namespace, store)))
}

/// Checks that the store answers.
pub(crate) async fn answers(store: &dyn Store) -> larder::Result<()> {
    store.get(&Key::new(PROBE, "ready")).await.map(drop)
}
