//! The stores that topics and logs are tested on.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::{RedisBuilder, RedisStore};
use larder_store::{ManualClock, Store};
use larder_test::server::RedisServer;

/// A store under test, with its clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    /// What moves the store's time, unless it moves by itself.
    pub(crate) clock: ManualClock,
    /// The server of a store on Redis.
    pub(crate) server: Option<RedisServer>,
}

impl World {
    /// A store in this process.
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self::new(store, clock, None)
    }

    /// A store on a server of its own, whose programs read the clock of the test.
    pub(crate) async fn redis() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server).with_virtual_time(clock.clone());
        Self::new(store.connect().await.unwrap(), clock, Some(server))
    }

    /// A store in this process, with time that passes.
    pub(crate) async fn memory_in_real_time() -> Self {
        Self::new(MokaStore::new(), ManualClock::default(), None)
    }

    /// A store on a server of its own, with time that passes.
    pub(crate) async fn redis_in_real_time() -> Self {
        let server = RedisServer::start().unwrap();
        let store = patient(&server).connect().await.unwrap();
        Self::new(store, ManualClock::default(), Some(server))
    }

    fn new(store: impl Store, clock: ManualClock, server: Option<RedisServer>) -> Self {
        Self {
            store: Arc::new(store),
            clock,
            server,
        }
    }

    /// Lets `by` pass for the store.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A store with deadlines that a busy machine keeps: these tests are about answers.
fn patient(server: &RedisServer) -> RedisBuilder {
    let long = Duration::from_secs(20);
    RedisStore::builder(&server.url())
        .with_timeout(long)
        .with_connect_timeout(long)
}

/// Ends a wait that a broken implementation would never end.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(30), future).await;
    waited.expect("it comes within thirty seconds")
}

/// Runs each test in process and on Redis.
macro_rules! on_both_stores {
    ($memory:ident, $redis:ident; $($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::support::World) $body)*

        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::World::$memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::World::$redis().await).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
