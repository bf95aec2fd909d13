//! Stores of each kind, by a clock that a test moves, for the tests of layers.
//!
//! Layers name no backend, but their tests run on both: in process, on a `redis-server` of their own, and on a
//! Redis Cluster that the tests of a crate share.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod traces;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::{ManualClock, Namespace, Prefixed, Store};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::{RedisCluster, RedisServer};

/// A store under test, with its clock.
#[allow(
    missing_debug_implementations,
    reason = "it is of use to a test alone, which shows what it did"
)]
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Moves the store's time, unless it passes by itself.
    pub clock: ManualClock,
    /// The server of a store on Redis.
    pub server: Option<RedisServer>,
}

impl World {
    /// Makes a store in this process.
    #[expect(clippy::unused_async, reason = "the macro awaits all of them")]
    pub async fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self::new(Arc::new(store), clock, None)
    }

    /// Makes a store on a server of its own, whose programs read the clock of the test.
    pub async fn redis() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server.url()).with_virtual_time(clock.clone());
        let store = Arc::new(store.connect().await.unwrap());
        Self::new(store, clock, Some(server))
    }

    /// Makes a namespace of its own on the cluster that all tests share, with the clock of the test.
    pub async fn cluster() -> Self {
        static CLUSTER: LazyLock<RedisCluster> = LazyLock::new(|| RedisCluster::start().unwrap());
        let clock = ManualClock::default();
        let store = patient(&CLUSTER.url()).with_virtual_time(clock.clone());
        let app = format!("{:x}", fastrand::u64(..));
        let namespace = Namespace::new("test", &app).unwrap();
        let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
        Self::new(Arc::new(Prefixed::new(namespace, store)), clock, None)
    }

    /// Makes a store in this process, whose time passes.
    #[expect(clippy::unused_async, reason = "the macro awaits all of them")]
    pub async fn memory_in_real_time() -> Self {
        Self::new(Arc::new(MokaStore::new()), ManualClock::default(), None)
    }

    /// Makes a store on a server of its own, whose time passes.
    pub async fn redis_in_real_time() -> Self {
        let server = RedisServer::start().unwrap();
        let store = Arc::new(patient(&server.url()).connect().await.unwrap());
        Self::new(store, ManualClock::default(), Some(server))
    }

    fn new(store: Arc<dyn Store>, clock: ManualClock, server: Option<RedisServer>) -> Self {
        Self {
            store,
            clock,
            server,
        }
    }

    /// Returns the store with faults that the switch sets.
    pub fn faulty(&self) -> (Arc<dyn Store>, Switch) {
        let faulty = Faulty::new(self.store.clone());
        let switch = faulty.switch();
        (Arc::new(faulty), switch)
    }

    /// Lets `by` pass for the store.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// Makes a builder with deadlines that a busy machine keeps: these tests are about answers.
pub fn patient(url: &str) -> RedisStoreBuilder {
    let long = Duration::from_secs(20);
    RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long)
}

/// Ends a wait that a broken implementation would never end.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(30), future).await;
    waited.expect("it comes within thirty seconds")
}

/// Waits until `is_so`, and fails with `what` if that takes too long.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "it never came to this: {what}");
}

/// Runs each test in the worlds that are named in front of them, in a module for each.
#[macro_export]
macro_rules! on_every_store {
    ($($world:ident),+; $($tests:tt)*) => {
        $crate::on_every_store! { @functions $($tests)* }
        $crate::on_every_store! { @modules [$($world)+] $($tests)* }
    };
    (@modules [] $($tests:tt)*) => {};
    (@modules [$world:ident $($others:ident)*] $($tests:tt)*) => {
        $crate::on_every_store! { @module $world $($tests)* }
        $crate::on_every_store! { @modules [$($others)*] $($tests)* }
    };
    (@functions $($(#[$doc:meta])* async fn $name:ident($arg:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($arg: $crate::World) $body)*
    };
    (@module $world:ident $($(#[$doc:meta])* async fn $name:ident($arg:ident: World) $body:block)*) => {
        mod $world {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::World::$world().await).await;
            })*
        }
    };
}
