use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_store::program::Record;
use larder_store::{Error, ErrorKind, Key, KeyId, Part, Result, Store, Ttl};

use super::attempt::Gate;
use super::{LockGuard, MAX_PERMITS, Order, Permits};

const PERMITS: Part = Part::new("permits");

/// A number of permits for tasks of all processes on a store, each held for a lease.
///
/// A permit is held, renewed, lost and released like a [`Lock`](super::Lock). If its process dies, it is free
/// again when its lease ends.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder_store::Result<()> {
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use larder_structures::lock::Semaphore;
/// # use larder_moka::MokaStore;
///
/// # let store = Arc::new(MokaStore::new());
/// const CALLS: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// let payments = Semaphore::new(store, "payment-calls", CALLS)?;
/// if let Some(permit) = payments.acquire(Duration::from_secs(1)).await? {
///     // At most three calls at a time, of all processes.
///     permit.release().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Semaphore {
    gate: Gate,
}

impl Semaphore {
    /// Makes the semaphore `id` on `store`. All its users must pass the same number of permits.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] past [`MAX_PERMITS`], and if the store runs no programs or does not support
    /// waiting.
    pub fn new(store: Arc<dyn Store>, id: impl KeyId, permits: NonZeroU32) -> Result<Self> {
        if permits.get() > MAX_PERMITS {
            let text = format!(
                "a semaphore has at most {MAX_PERMITS} permits: split it into several semaphores"
            );
            return Err(Error::new("build", ErrorKind::Invalid, text));
        }
        let key = Key::new(Permits::KIND, id).with_part(PERMITS);
        let gate = Gate::new("a semaphore", store, key, permits.get())?;
        Ok(Self { gate })
    }

    /// Sets the lease of a permit. The default is [`DEFAULT_LEASE`](super::DEFAULT_LEASE).
    #[must_use]
    pub fn with_lease(mut self, lease: Ttl) -> Self {
        self.gate.lease = lease;
        self
    }

    /// Sets the maximum time for which a permit is renewed. The default is
    /// [`DEFAULT_MAX_HOLD`](super::DEFAULT_MAX_HOLD).
    #[must_use]
    pub fn with_max_hold(mut self, max_hold: Duration) -> Self {
        self.gate.max_hold = max_hold;
        self
    }

    /// Sets the order in which waiters get a permit. All users of a semaphore must set the same. The default is
    /// [`Order::Any`].
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Self {
        self.gate.order = order;
        self
    }

    /// Takes a permit if one is free. None if all are held. One round trip.
    ///
    /// # Errors
    /// Those of [`Lock::try_lock`](super::Lock::try_lock).
    ///
    /// # Cancellation
    /// A dropped call releases any permit that it has taken, in the background.
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>> {
        self.gate.attempt(None).await
    }

    /// Takes a permit, and waits for it for at most `within`. None if that time is over.
    ///
    /// # Errors
    /// Those of [`Lock::lock`](super::Lock::lock).
    ///
    /// # Cancellation
    /// A dropped call releases any permit that it has taken, in the background.
    pub async fn acquire(&self, within: Duration) -> Result<Option<LockGuard>> {
        self.gate.attempt(Some(within)).await
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gate.fmt_as("Semaphore", f)
    }
}
