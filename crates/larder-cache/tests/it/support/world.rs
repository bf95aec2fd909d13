use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, Found, LoadError};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Clock, Entry, ManualClock, Store, SystemClock};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::RedisServer;
use tokio::task::JoinHandle;

use super::{Broken, FILM, Gate, MINUTE, far_key};

/// A store that several processes share, with its clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: ManualClock,
    time: Time,
    _server: Option<RedisServer>,
}

/// Whether the test controls the clock.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    Manual,
    Real,
}

/// Stands for a process: a separate cache over the shared store.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) films: Cache<u32, String>,
    /// The switch for faults of the store in this process.
    pub(crate) switch: Switch,
    /// How often its loader ran.
    pub(crate) loads: Arc<AtomicUsize>,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl World {
    pub(crate) async fn memory(time: Time) -> Self {
        let clock = ManualClock::default();
        let store = match time {
            Time::Manual => MokaStore::builder().with_clock(clock.clone()),
            Time::Real => MokaStore::builder(),
        };
        Self {
            store: Arc::new(store.build()),
            clock,
            time,
            _server: None,
        }
    }

    pub(crate) async fn redis(time: Time) -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let builder = RedisStore::builder(&server.url()).with_timeout(PATIENCE);
        let builder = match time {
            Time::Manual => builder.with_virtual_time(clock.clone()),
            Time::Real => builder,
        };
        Self {
            store: Arc::new(builder.connect().await.unwrap()),
            clock,
            time,
            _server: Some(server),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn advance_micros(&self, by: i64) {
        self.clock.advance_micros(by);
    }

    /// Begins a process with the usual settings.
    pub(crate) fn process(&self) -> Process {
        self.process_with(|builder| builder)
    }

    /// Begins a process that neither sends messages about invalidations nor gets any.
    pub(crate) fn quiet_process(&self) -> Process {
        self.process_with(CacheBuilder::without_bus)
    }

    pub(crate) fn process_with(
        &self,
        set: impl FnOnce(CacheBuilder<u32, String>) -> CacheBuilder<u32, String>,
    ) -> Process {
        let store = Faulty::new(self.store.clone());
        let switch = store.switch();
        let clock: Arc<dyn Clock> = match self.time {
            Time::Manual => Arc::new(self.clock.clone()),
            Time::Real => Arc::new(SystemClock::default()),
        };
        let builder = Cache::builder(FILM, MINUTE)
            .with_jitter(0.0)
            .with_clock(clock)
            .with_store_timeout(PATIENCE)
            .with_far(Arc::new(store));
        Process {
            films: set(builder).build().unwrap(),
            switch,
            loads: Arc::default(),
        }
    }

    /// Returns the far entry of film 7.
    pub(crate) async fn far(&self) -> Option<Entry> {
        self.store.get(&far_key(7)).await.unwrap()
    }
}

impl Process {
    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// Loads film 7.
    pub(crate) async fn load(&self, title: &'static str) -> Found<String> {
        self.load_or(title).await.unwrap()
    }

    /// Requests film 7, with a loader that succeeds.
    pub(crate) async fn load_or(&self, title: &'static str) -> Answer {
        let loads = self.loads.clone();
        let load = || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Broken>(title.to_owned())
        };
        self.films.find_or_load(&7, load).await
    }

    /// Requests film 7, with a loader that fails.
    pub(crate) async fn fail(&self) -> Result<Found<String>, LoadError<Broken>> {
        let loads = self.loads.clone();
        let load = || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            Err::<String, _>(Broken("the database is away"))
        };
        self.films.find_or_load(&7, load).await
    }

    /// Begins to load film 7 with a loader that waits at the gate.
    pub(crate) fn begin(&self, gate: &Gate, title: &'static str) -> JoinHandle<Answer> {
        let (process, gate) = (self.clone(), gate.clone());
        tokio::spawn(async move {
            let loads = process.loads.clone();
            let load = || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                gate.pass().await;
                Ok::<_, Broken>(title.to_owned())
            };
            process.films.find_or_load(&7, load).await
        })
    }
}

pub(crate) type Answer = Result<Found<String>, LoadError<Broken>>;

/// Waits until `is_so` returns true, because of a background task.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    until_ready(what, || std::future::ready(is_so())).await;
}

/// Does the same with an asynchronous condition.
pub(crate) async fn until_ready<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let so = tokio::time::timeout(PATIENCE, so).await;
    assert!(so.is_ok(), "it never came to this: {what}");
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
