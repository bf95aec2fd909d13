use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Kind, Put, Store};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::RedisServer;

use super::{FILM, MINUTE, far_key};

/// A store of one kind, with its server if it has one.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) server: Option<RedisServer>,
}

impl Backend {
    pub(crate) fn in_process() -> Self {
        Self {
            store: Arc::new(MokaStore::new()),
            server: None,
        }
    }

    pub(crate) async fn on_redis() -> Self {
        let server = RedisServer::start().unwrap();
        let store = RedisStore::builder(&server.url()).connect().await.unwrap();
        Self {
            store: Arc::new(store),
            server: Some(server),
        }
    }

    /// Begins the cache of one more process.
    pub(crate) fn films(&self) -> CacheBuilder<u32, String> {
        over(FILM, self.store.clone())
    }

    /// Begins the cache of one more process, with a switch for faults of its store.
    pub(crate) fn faulty_films(&self) -> (CacheBuilder<u32, String>, Switch) {
        let faulty = Faulty::new(self.store.clone());
        let switch = faulty.switch();
        (over(FILM, Arc::new(faulty)), switch)
    }

    pub(crate) async fn bytes(&self, film: u32) -> Vec<u8> {
        let held = self.store.get(&far_key(film)).await.unwrap();
        held.unwrap().value.to_vec()
    }

    pub(crate) async fn put(&self, film: u32, bytes: Vec<u8>) {
        let put = Put::new(far_key(film), bytes, MINUTE);
        assert!(self.store.put(&put).await.unwrap().is_stored());
    }
}

/// Begins a cache over a store, with timeouts for a busy machine.
pub(crate) fn over(kind: Kind, store: Arc<dyn Store>) -> CacheBuilder<u32, String> {
    Cache::builder(kind, MINUTE)
        .with_jitter(0.0)
        .with_far(store)
        .with_store_timeout(Duration::from_secs(10))
}

/// Runs each test on both backends.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($backend:ident: Backend) $body:block)*) => {
        $($(#[$doc])* async fn $name($backend: $crate::support::Backend) $body)*

        mod in_process {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::Backend::in_process()).await;
            })*
        }

        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::Backend::on_redis().await).await;
            })*
        }
    };
}

pub(crate) use on_both;
