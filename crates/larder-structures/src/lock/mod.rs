//! Locks, semaphores and leaders: one record, and an attempt that waits for it.

mod attempt;
mod guard;
mod leader;
mod permits;
mod semaphore;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_store::program::Record;
use larder_store::{Key, KeyId, Result, Store, Ttl};

pub use guard::{LockGuard, Released};
pub use permits::{InspectPermits, Permits, Release};
pub use semaphore::Semaphore;

use attempt::Gate;

/// The default lease of a lock, unless it is renewed: 30 seconds.
pub const DEFAULT_LEASE: Ttl = Ttl::from_secs(30);

/// The default maximum time for which a lock is renewed: one hour.
pub const DEFAULT_MAX_HOLD: Duration = Duration::from_secs(3600);

/// The maximum number of tasks that wait in order: 100. All are in one record, which each step reads.
pub const MAX_QUEUE: u32 = 100;

/// The maximum number of permits of a semaphore: 100. All are in one record, which each step reads.
pub const MAX_PERMITS: u32 = 100;

/// The order in which waiters get a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The first caller to try when it is free. The cheapest, and the default.
    #[default]
    Any,
    /// The caller that has waited longest. Each check by a waiter is a write, and the place in the queue of a
    /// process that has died is kept for ten seconds. At most [`MAX_QUEUE`] wait.
    Fifo,
}

/// A lock that one task at a time holds, across all processes on a store.
///
/// # Rules
/// 1. A lock is held for its lease, and renewed at a third of it while the [`LockGuard`] lives, for at most
///    [`with_max_hold`](Self::with_max_hold).
/// 2. The holder measures its lease by its own monotonic clock, from before the request was sent, and ends
///    it a little early. So [`LockGuard::lost`] resolves before any other task can hold the lock, unless the
///    store lost it, its clock was set forward, or the holder's machine was suspended: its clock stands still meanwhile.
/// 3. Each holder has a [fence](LockGuard::fence) above all earlier ones, even after a failover. The system
///    that the lock protects should refuse a fence older than the newest that it has seen: see
///    [`Fenced`](crate::fenced::Fenced).
/// 4. Waiters are woken when the lock is released, and try again when the lease of the holder ends.
///
/// # Deployment caveats
/// A lock does not prove that nobody else works: a process may be stopped between checking its lease and
/// working, and a failover may lose the lock with the last writes. The fence protects against both. If a
/// failover must not lose a granted lock, give [`Lock::new`] a store that waits for replicas
/// (`RedisStoreBuilder::with_replicas`): an attempt that they do not confirm fails and is undone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder_store::Result<()> {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use larder_structures::lock::{Lock, Released};
/// # use larder_moka::MokaStore;
///
/// # let store = Arc::new(MokaStore::new());
/// let lock = Lock::new(store, "nightly-report")?;
/// if let Some(guard) = lock.lock(Duration::from_secs(5)).await? {
///     tokio::select! {
///         () = guard.lost() => println!("another holder may have it by now"),
///         () = async { /* the work, with guard.fence() */ } => {}
///     }
///     assert_eq!(guard.release().await?, Released::InTime);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Lock {
    gate: Gate,
}

impl Lock {
    /// Makes the lock `id` on `store`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the store runs no programs or does not
    /// support waiting.
    pub fn new(store: Arc<dyn Store>, id: impl KeyId) -> Result<Self> {
        let gate = Gate::new("a lock", store, Key::new(Permits::KIND, id), 1)?;
        Ok(Self { gate })
    }

    /// Sets the lease. The default is [`DEFAULT_LEASE`].
    #[must_use]
    pub fn with_lease(mut self, lease: Ttl) -> Self {
        self.gate.lease = lease;
        self
    }

    /// Sets the maximum time for which the lock is renewed. The default is [`DEFAULT_MAX_HOLD`].
    ///
    /// A stuck holder loses the lock after that time.
    #[must_use]
    pub fn with_max_hold(mut self, max_hold: Duration) -> Self {
        self.gate.max_hold = max_hold;
        self
    }

    /// Sets the order in which waiters get the lock. All users of a lock must set the same. The default is
    /// [`Order::Any`].
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Self {
        self.gate.order = order;
        self
    }

    /// Takes the lock if it is free. None if it is not. One round trip.
    ///
    /// # Errors
    /// Those of [`Programs::run`](larder_store::program::Programs#method.run). After
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) a lock that may be held is
    /// released in the background.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call releases any lock that it has taken, in the background.
    pub async fn try_lock(&self) -> Result<Option<LockGuard>> {
        self.gate.attempt(None).await
    }

    /// Takes the lock, and waits for it for at most `within`. None if that time is over.
    ///
    /// With a zero duration it tries once, as [`try_lock`](Self::try_lock) does. If `within` is shorter than the
    /// timeout of the store, it is also None when the store does not answer in that time.
    ///
    /// It takes one round trip if the lock is free, and three more before it waits.
    ///
    /// # Errors
    /// Those of [`try_lock`](Self::try_lock), and
    /// [`Refusal::Full`](larder_store::Refusal::Full) if too many are already waiting.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// A dropped call releases any lock that it has taken, in the background.
    pub async fn lock(&self, within: Duration) -> Result<Option<LockGuard>> {
        self.gate.attempt(Some(within)).await
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gate.fmt_as("Lock", f)
    }
}
