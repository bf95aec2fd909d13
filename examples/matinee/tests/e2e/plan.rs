//! The app that a test needs.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use larder_test::server::RedisServer;

use crate::app::App;

/// Makes two tests of each function that takes a [`Plan`]: one on each backend.
macro_rules! on_both_backends {
    ($($name:ident),+ $(,)?) => {
        mod on_memory {
            $(#[test] fn $name() { super::$name(crate::plan::Plan::memory()); })+
        }
        mod on_redis {
            $(#[test] fn $name() { super::$name(crate::plan::Plan::redis()); })+
        }
    };
}

/// How an app is built: on which backend, and with which settings.
pub(crate) struct Plan {
    pub(crate) servers: usize,
    pub(crate) redis: Option<RedisServer>,
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Whether the database is created at the start, instead of copying one that was created
    /// earlier.
    pub(crate) has_new_database: bool,
    needs: Needs,
}

/// How many other tests may run at the same time.
#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    Quiet,
    Solitude,
}

/// A crowd uses every core, and in another test a Redis would miss its deadline of 100 ms: pages
/// would still be shown, but not from the source that the test expects.
static QUIET: RwLock<()> = RwLock::new(());

/// Keeps apps of other tests and this one from disturbing each other.
pub(crate) enum Turn {
    AnyTime,
    Together {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Plan {
    /// One process, which is its own store.
    pub(crate) fn memory() -> Self {
        Self::new(1, None)
    }

    /// Two processes that share a Redis of their own.
    pub(crate) fn redis() -> Self {
        Self::on(RedisServer::start().unwrap())
    }

    /// Two processes that share this Redis.
    pub(crate) fn on(redis: RedisServer) -> Self {
        Self::new(2, Some(redis))
    }

    fn new(servers: usize, redis: Option<RedisServer>) -> Self {
        // Only a test of a limit reaches it.
        let limits = ["RATE_LIMIT", "SIGN_IN_LIMIT"];
        let limits = limits.map(|limit| (limit, "100000/second".to_owned()));
        let mut settings = vec![("APP_ENV", "development".to_owned())];
        settings.extend(limits);
        Self {
            servers,
            redis,
            settings,
            has_new_database: false,
            needs: Needs::Quiet,
        }
    }

    /// Waits until no other app is running, and lets none start until the end.
    pub(crate) fn alone(mut self) -> Self {
        self.needs = Needs::Solitude;
        self
    }

    /// Starts regardless of other tests.
    pub(crate) fn unminding(mut self) -> Self {
        self.needs = Needs::Nothing;
        self
    }

    /// Sets an environment variable; the last one of a name counts.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Starts on a database that does not exist yet.
    pub(crate) fn with_a_new_database(mut self) -> Self {
        self.has_new_database = true;
        self
    }

    /// Starts every server at once.
    pub(crate) fn open(self) -> App {
        // A test that failed has not harmed any other.
        let turn = match self.needs {
            Needs::Nothing => Turn::AnyTime,
            Needs::Quiet => Turn::Together {
                _guard: QUIET.read().unwrap_or_else(PoisonError::into_inner),
            },
            Needs::Solitude => Turn::Alone {
                _guard: QUIET.write().unwrap_or_else(PoisonError::into_inner),
            },
        };
        App::open(self, turn)
    }
}
