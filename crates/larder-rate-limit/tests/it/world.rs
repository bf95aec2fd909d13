//! The stores that policies are tested on, with time that the test moves.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{Policy, RateLimiter};
use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::{ManualClock, Namespace, Prefixed, Store};
use larder_test::server::RedisServer;

/// A store under test, with its clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: ManualClock,
}

/// The server that all tests share, each in a namespace of its own.
pub(crate) static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());

impl World {
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self {
            store: Arc::new(store),
            clock,
        }
    }

    /// A store on Redis, whose programs read the clock of the test.
    pub(crate) async fn redis() -> Self {
        let clock = ManualClock::default();
        let store = patient(&SERVER.url()).with_virtual_time(clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
        let app = format!("{:x}", fastrand::u64(..));
        let namespace = Namespace::new("test", &app).unwrap();
        Self {
            store: Arc::new(Prefixed::new(namespace, store)),
            clock,
        }
    }

    pub(crate) fn limiter(&self, policy: impl Into<Policy>) -> RateLimiter {
        self.named("test", policy)
    }

    pub(crate) fn named(&self, name: &str, policy: impl Into<Policy>) -> RateLimiter {
        RateLimiter::new(self.store.clone(), name, policy).unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A store with deadlines that a busy machine keeps: these tests are about answers.
pub(crate) fn patient(url: &str) -> RedisStoreBuilder {
    let long = Duration::from_secs(20);
    RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long)
}

/// Asks `times` times, and returns how many passed.
pub(crate) async fn passed(limiter: &RateLimiter, visitor: &str, times: usize) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        passed += usize::from(limiter.check(visitor).await.unwrap().is_allowed());
    }
    passed
}

/// Runs each test on every store.
macro_rules! on_every_store {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::world::World) $body)*

        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::world::World::memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::world::World::redis().await).await;
            })*
        }
    };
}
pub(crate) use on_every_store;
