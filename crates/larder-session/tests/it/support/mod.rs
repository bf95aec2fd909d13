//! A site, its visitors, and the two stores that it is tested on.

mod browser;
mod site;

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_session::{OnFailure, SessionLayer, Sessions};
use larder_store::{ManualClock, Store};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::RedisServer;
use tokio::runtime::Handle;

pub(crate) use browser::{Browser, NAME, Reply};
pub(crate) use site::Site;

/// A store under test, with its clock and its faults.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) switch: Switch,
    pub(crate) server: Option<RedisServer>,
    clock: ManualClock,
    /// The tasks of the store.
    tasks: usize,
}

/// Whether the test controls the clock.
pub(crate) enum Time {
    Manual,
    /// On Redis, the server's: one command for each step, as in production.
    Real,
}

impl World {
    pub(crate) async fn memory(_: Time) -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self::new(Arc::new(store), clock, None)
    }

    pub(crate) async fn redis(time: Time) -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let builder = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(20));
        let builder = match time {
            Time::Manual => builder.with_virtual_time(clock.clone()),
            Time::Real => builder,
        };
        let store = builder.connect().await.unwrap();
        Self::new(Arc::new(store), clock, Some(server))
    }

    fn new(store: Arc<dyn Store>, clock: ManualClock, server: Option<RedisServer>) -> Self {
        let faulty = Faulty::new(store);
        let switch = faulty.switch();
        Self {
            store: Arc::new(faulty),
            switch,
            server,
            clock,
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }

    /// Waits until no background task is running.
    pub(crate) async fn settled(&self) {
        let metrics = Handle::current().metrics();
        let quiet = async {
            while metrics.num_alive_tasks() > self.tasks {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let quiet = tokio::time::timeout(Duration::from_secs(20), quiet).await;
        assert!(quiet.is_ok(), "a task of a request does not end");
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn advance_micros(&self, by: i64) {
        self.clock.advance_micros(by);
    }

    pub(crate) fn sessions(&self) -> Sessions {
        let sessions = Sessions::new(self.store.clone()).unwrap();
        sessions.with_store_timeout(Duration::from_secs(20))
    }

    /// One process of the app.
    pub(crate) fn site(&self) -> Site {
        Self::site_of(self.sessions())
    }

    pub(crate) fn site_of(sessions: Sessions) -> Site {
        Site::new(SessionLayer::new(sessions))
    }

    pub(crate) fn site_on_failure(&self, on_failure: OnFailure) -> Site {
        let sessions = self
            .sessions()
            .with_store_timeout(Duration::from_millis(400));
        Site::new(SessionLayer::new(sessions).with_on_failure(on_failure))
    }
}

/// Runs each test on both stores.
macro_rules! on_both_stores {
    ($time:ident; $($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::support::World) $body)*

        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let time = $crate::support::Time::$time;
                super::$name($crate::support::World::memory(time).await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let time = $crate::support::Time::$time;
                super::$name($crate::support::World::redis(time).await).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
