//! The stores that the structures are tested on.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use larder_moka::MokaStore;
use larder_redis::{RedisBuilder, RedisStore};
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, ManualClock, Namespace, Prefixed, Put,
    PutOutcome, Result, Store, Ttl,
};
use larder_test::ModelStore;
use larder_test::server::{RedisCluster, RedisServer};

/// A store under test, with its clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    /// What moves the store's time.
    pub(crate) clock: ManualClock,
    /// The server of a store on Redis.
    pub(crate) server: Option<RedisServer>,
}

impl World {
    /// A store in this process.
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self {
            store: Arc::new(store),
            clock,
            server: None,
        }
    }

    /// A store on a server of its own, whose programs read the clock of the test.
    pub(crate) async fn redis() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server.url()).with_virtual_time(clock.clone());
        Self {
            store: Arc::new(store.connect().await.unwrap()),
            clock,
            server: Some(server),
        }
    }

    /// A namespace of its own on the cluster that all tests share, with the clock of the test.
    pub(crate) async fn cluster() -> Self {
        static CLUSTER: LazyLock<RedisCluster> = LazyLock::new(|| RedisCluster::start().unwrap());
        let clock = ManualClock::default();
        let store = patient(&CLUSTER.url()).with_virtual_time(clock.clone());
        let app = format!("{:x}", fastrand::u64(..));
        let namespace = Namespace::new("test", &app).unwrap();
        let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
        Self {
            store: Arc::new(Prefixed::new(namespace, store)),
            clock,
            server: None,
        }
    }

    /// Lets `by` pass for the store.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A store with deadlines that a busy machine keeps: these tests are about answers.
pub(crate) fn patient(url: &str) -> RedisBuilder {
    let long = Duration::from_secs(20);
    RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long)
}

/// A store that offers nothing beside values.
#[derive(Default)]
pub(crate) struct ValuesOnly(ModelStore);

#[async_trait]
impl Store for ValuesOnly {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.0.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.0.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.0.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.0.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.0.get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.0.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.0.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        "values://"
    }
}

/// Runs each test on every store, with time that the test moves.
macro_rules! on_every_store {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::support::World) $body)*

        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::World::memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::World::redis().await).await;
            })*
        }

        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::World::cluster().await).await;
            })*
        }
    };
}
pub(crate) use on_every_store;
