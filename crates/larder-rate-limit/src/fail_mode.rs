use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;

use larder_store::program::{Programs, Record};
use larder_store::{Error, ErrorKind, Key, Result, Store, StoreExt};

use crate::give_back::GiveBack;
use crate::hold::{Hold, Takes};
use crate::limiter::Engine;
use crate::program::{InspectTat, Tat};
use crate::{Decision, RateLimiter};

/// What a layer does with requests while the store fails.
///
/// A store fails if it answers with an error or too late. A [full](larder_store::Refusal::Full) server
/// fails too. A full store in this process does not: it
/// [still limits](RateLimiter::SHARED_QUOTAS) new visitors.
///
/// If the limiter's [cost](RateLimiter::with_cost) exceeds the burst of a visitor's [plan](crate::Plans), the request
/// gets 503 in every mode: the store works, so a request that passed would exempt the visitor.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum FailMode {
    /// Lets the request pass, uncounted. The default, so that a limit against load does not take the
    /// service down together with the store.
    #[default]
    Open,
    /// Refuses the request with 503. For limits that protect something, such as password guesses.
    Closed,
    /// Charges the request only in this process, so that each process grants the quota once, or its
    /// [share](LocalStore::with_share_of) of it. Permits and reservations are then local, too. If that fails, the
    /// request is refused with 503.
    Local(LocalStore),
}

impl FailMode {
    /// Returns [`Local`](Self::Local), with the visitors' state in `store`.
    ///
    /// # Errors
    /// Those of [`LocalStore::new`].
    pub fn local(store: Arc<dyn Store>) -> Result<Self> {
        LocalStore::new(store).map(Self::Local)
    }
}

/// A store in this process, which a layer uses while its own fails.
///
/// It counts by the limiter's name and the visitor. If layers have limiters of the same name on different
/// stores, give each layer a local store of its own.
#[derive(Clone)]
pub struct LocalStore {
    programs: Arc<dyn Programs>,
    processes: NonZeroU32,
}

impl LocalStore {
    /// Makes a local store of `store`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store runs no programs, or is on a server: it must answer without waiting.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let programs = store.require_programs("a local rate limit")?;
        // An operation that changes nothing shows whether the store answers without waiting.
        let key = Key::new(Tat::KIND, "probe");
        match programs.run_now(&key, &InspectTat) {
            Poll::Ready(_) => Ok(Self {
                programs,
                processes: NonZeroU32::MIN,
            }),
            Poll::Pending => Err(waits()),
        }
    }

    /// Grants each visitor its quota divided by `processes`.
    ///
    /// By default each process grants the whole quota, so a visitor that all of them serve gets it once per process.
    /// The result is rounded down, and is at least one unit. For a visitor with a [plan](crate::Plans) it is a part
    /// of the plan's quota.
    #[must_use]
    pub fn with_share_of(mut self, processes: NonZeroU32) -> Self {
        self.processes = processes;
        self
    }

    /// Returns the limiter that counts here, if it is not the limiter itself.
    pub(crate) fn limiter(&self, limiter: &RateLimiter) -> Option<RateLimiter> {
        (self.processes.get() > 1).then(|| limiter.with_share_of(self.processes))
    }

    /// Refunds a charge of a visitor that `engine` counts.
    pub(crate) fn refund(
        &self,
        engine: &Engine,
        key: &Key,
        back: &GiveBack,
    ) -> Poll<Result<Decision>> {
        let answer = back.run_now(&*self.programs, key);
        answer.map_ok(|decision| engine.with_more(decision))
    }

    /// Charges a visitor that `engine` counts, and takes what `takes` says. A cost above the burst is reduced to
    /// it.
    pub(crate) fn take(
        &self,
        limiter: &RateLimiter,
        engine: &Engine,
        key: &Key,
        cost: u32,
        takes: Takes,
    ) -> Result<(Decision, Option<Hold>)> {
        let cost = cost.min(engine.max_cost());
        let limiter = limiter.with_programs(self.programs.clone());
        match limiter.take_now(engine, key, cost, takes) {
            Poll::Ready(answer) => {
                answer.map(|(decision, hold)| (engine.with_more(decision), hold))
            }
            Poll::Pending => Err(waits()),
        }
    }
}

fn waits() -> Error {
    Error::new(
        "build a rate limit",
        ErrorKind::Invalid,
        "a local store must be one that answers without waiting: use memory://",
    )
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalStore")
    }
}
