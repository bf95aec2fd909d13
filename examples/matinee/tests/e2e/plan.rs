//! What kind of house a test needs.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use larder_test::server::RedisServer;

use crate::house::House;

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

/// How a house is built: on which backend, and with which settings.
pub(crate) struct Plan {
    pub(crate) doors: usize,
    pub(crate) redis: Option<RedisServer>,
    pub(crate) settings: Vec<(&'static str, String)>,
    needs: Needs,
}

/// What a test needs of the other tests.
#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    Quiet,
    Solitude,
}

/// A crowd takes every core, and in another test a Redis would miss its deadline of 100 ms: pages
/// would come, as they should, but not from where that test says.
static QUIET: RwLock<()> = RwLock::new(());

/// Keeps other houses from disturbing this one, or from being disturbed by it.
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

    fn new(doors: usize, redis: Option<RedisServer>) -> Self {
        // Only a test about a limit runs into it.
        let settings = ["RATE_LIMIT", "SIGN_IN_LIMIT"];
        let settings = settings.map(|limit| (limit, "100000/second".to_owned()));
        Self {
            doors,
            redis,
            settings: settings.into(),
            needs: Needs::Quiet,
        }
    }

    /// Waits until no other house is open, and lets none open meanwhile.
    pub(crate) fn alone(mut self) -> Self {
        self.needs = Needs::Solitude;
        self
    }

    /// Opens whatever else goes on.
    pub(crate) fn unminding(mut self) -> Self {
        self.needs = Needs::Nothing;
        self
    }

    /// Sets a variable of the environment; the last of one name counts.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Opens every door, all at once, on a database that is not there yet.
    pub(crate) fn open(self) -> House {
        // A test that failed has harmed nobody else.
        let turn = match self.needs {
            Needs::Nothing => Turn::AnyTime,
            Needs::Quiet => Turn::Together {
                _guard: QUIET.read().unwrap_or_else(PoisonError::into_inner),
            },
            Needs::Solitude => Turn::Alone {
                _guard: QUIET.write().unwrap_or_else(PoisonError::into_inner),
            },
        };
        House::open(self, turn)
    }
}
