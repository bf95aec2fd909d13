//! The store that a command works on.

use std::sync::Arc;
use std::time::Duration;

use larder::redis::{Admin, RedisStore};
use larder::session::Sessions;
use larder::store::program::Programs;
use larder::store::{StoreExt, scan::Scan};
use larder::{Namespace, Prefixed, Store};

use crate::args::Options;
use crate::error::{Error, Result};

/// How long an operation waits unless the URL sets it, except on shards. A person waits longer than a visitor, and
/// uses the tool when a server is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a layer waits for the store: longer than the store itself, whose timeout the URL may set.
pub(crate) const LAYER_PATIENCE: Duration = Duration::from_secs(60);

/// The store that a command works on.
pub(crate) struct Target {
    /// The store in the namespace of the app.
    pub(crate) store: Arc<dyn Store>,
    /// The namespace with a colon behind it, or nothing.
    pub(crate) prefix: String,
    redis: Option<Arc<RedisStore>>,
}

impl Target {
    /// Connects to the store that `url`, the options or the environment names.
    pub(crate) async fn open(options: &Options, url: Option<&str>) -> Result<Self> {
        let url = match url.or(options.url.as_deref()) {
            Some(url) => url.to_owned(),
            None => std::env::var("STORE_URL").map_err(|_| {
                Error::usage("no store: give --url redis://host:6379, or set STORE_URL")
            })?,
        };
        let namespace = options.namespace.as_deref().map(namespace).transpose()?;
        if url.to_ascii_lowercase().starts_with("memory:") {
            return Err(Error::usage(
                "memory:// is inside the process of the app, and no other process can see it: run the app \
                 with STORE_URL=redis://… to look at it from here",
            ));
        }
        let (store, redis): (Arc<dyn Store>, _) = match is_one_set_of_servers(&url) {
            true => {
                let redis = RedisStore::builder(&url).with_timeout(PATIENCE);
                let redis = Arc::new(redis.connect().await?);
                (redis.clone(), Some(redis))
            }
            // Shards, or an error that says what is expected.
            false => (larder::connect(&url).await?, None),
        };
        Ok(Self {
            prefix: namespace
                .as_ref()
                .map_or_else(String::new, |it| it.prefix().to_owned()),
            store: match namespace {
                Some(namespace) => Arc::new(Prefixed::new(namespace, store)),
                None => store,
            },
            redis,
        })
    }

    /// Returns the store of one set of servers.
    pub(crate) fn redis(&self) -> Result<&Arc<RedisStore>> {
        self.redis.as_ref().ok_or_else(|| {
            Error::usage(
                "this command looks at one server or cluster: give it the URL of one shard",
            )
        })
    }

    /// Returns the read-only commands of the servers, if they are not shards.
    pub(crate) fn admin(&self) -> Option<Admin> {
        self.redis.as_ref().map(|redis| redis.admin())
    }

    /// Returns the sessions of the app.
    pub(crate) fn sessions(&self) -> Result<Sessions> {
        Ok(Sessions::new(self.store.clone())?.with_store_timeout(LAYER_PATIENCE))
    }

    pub(crate) fn programs(&self) -> Result<Arc<dyn Programs>> {
        Ok(self.store.clone().require_programs("this command")?)
    }

    pub(crate) fn scan(&self) -> Result<Arc<dyn Scan>> {
        let scan = self.store.clone().scan();
        scan.ok_or_else(|| Error::usage("this store lists no keys"))
    }
}

/// Returns whether a URL names one server, a cluster, or a master behind sentinels.
fn is_one_set_of_servers(url: &str) -> bool {
    let scheme = url.split("://").next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let (transport, form) = scheme.split_once('+').unwrap_or((&scheme, ""));
    let is_redis = ["redis", "rediss", "valkey", "valkeys", "unix"].contains(&transport);
    is_redis && form != "shards"
}

fn namespace(text: &str) -> Result<Namespace> {
    let (environment, app) = text.trim_end_matches(':').split_once(':').ok_or_else(|| {
        Error::usage("--namespace is the environment and the app, such as prod:app")
    })?;
    Ok(Namespace::new(environment, app)?)
}
