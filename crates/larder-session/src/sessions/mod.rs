//! Sessions in a store, without HTTP.

mod candidates;
mod devices;
mod open;
mod steps;
mod time;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{StoreHealth, StoreTimeout};
use larder_store::{Programs, Store, StoreExt, Ttl};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::{Error, Lifetime, Result, SignInOptions};

pub(crate) use candidates::{Found, Rival};
pub use devices::Device;
pub(crate) use open::Opened;
use time::StoreTime;

/// The sessions of an app, in a store: the settings, and what an app does to the sessions of a user
/// without being that user.
///
/// Every process on the same store shares the sessions. Clones are cheap and share everything.
///
/// ```
/// use std::sync::Arc;
///
/// use larder_session::{Lifetime, Sessions};
///
/// # async fn example(store: Arc<dyn larder_store::Store>) -> larder_session::Result<()> {
/// let sessions = Sessions::new(store)?.with_lifetime(Lifetime::AAL1);
/// // After a change of the password, say: out everywhere, at the next request of any process.
/// sessions.revoke_all("ada").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sessions {
    pub(crate) programs: Arc<dyn Programs>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    health: StoreHealth,
    /// Room for deadlines that are slid while nobody waits.
    sliding: Arc<Semaphore>,
    time: Arc<StoreTime>,
}

/// How many deadlines are slid at once while nobody waits.
const SLIDING: usize = 256;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) lifetime: Lifetime,
    /// None means the lifetime.
    pub(crate) max_lifetime: Option<Lifetime>,
    pub(crate) grace: i64,
    pub(crate) max_value: usize,
    pub(crate) max_weight: i64,
    pub(crate) max_devices: i64,
    pub(crate) timeout: StoreTimeout,
}

impl Sessions {
    /// How long a store may take if nothing else is said: 250 ms, which is more than the deadline of
    /// a backend of larder's own, so that the store's error is the one that is seen.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
    /// How large a field may be if nothing else is said: 16 KiB.
    pub const DEFAULT_MAX_VALUE: usize = 16 * 1024;
    /// How large a session may be if nothing else is said: 64 KiB.
    pub const DEFAULT_MAX_BYTES: usize = 64 * 1024;
    /// How many sessions a user may have if nothing else is said: 100.
    pub const DEFAULT_MAX_DEVICES: u16 = 100;

    /// The sessions in `store`, with the default settings.
    ///
    /// Their counters belong to the recorder that is installed when it is made.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where the store runs no programs.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let programs = store
            .require_programs("a session")
            .map_err(|error| Error::invalid(error.to_string()))?;
        let timeout = StoreTimeout::new(Self::DEFAULT_TIMEOUT, programs.deadline());
        Ok(Self {
            programs,
            settings: Arc::new(Settings {
                lifetime: Lifetime::default(),
                max_lifetime: None,
                grace: 0,
                max_value: Self::DEFAULT_MAX_VALUE,
                max_weight: Self::DEFAULT_MAX_BYTES as i64,
                max_devices: i64::from(Self::DEFAULT_MAX_DEVICES),
                timeout,
            }),
            metrics: Metrics::new(),
            health: StoreHealth::new("sessions"),
            sliding: Arc::new(Semaphore::new(SLIDING)),
            time: Arc::new(StoreTime::new()),
        })
    }

    /// The same, with sessions that live for another time. The default is [`Lifetime::AAL2`].
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.change().lifetime = lifetime;
        self
    }

    /// The same, with `longest` as the bound of a lifetime that a sign-in chooses for its session, with
    /// [`log_in_with`](crate::Session::log_in_with): of its idle time and of its absolute one. By default
    /// a sign-in may only choose what is no longer than the app's own lifetime, which is always allowed.
    ///
    /// A session that was signed in under a longer bound keeps what it was given.
    #[must_use]
    pub fn with_max_lifetime(mut self, longest: Lifetime) -> Self {
        self.change().max_lifetime = Some(longest);
        self
    }

    /// The same, with `grace` for requests that were sent with the id before, after a
    /// [`rotate`](crate::Session::rotate). By default there is none: the id before is dead at once.
    /// At a sign-in there is never any: also one by the id before ends both.
    ///
    /// A second or two spares a page that loads a dozen things at once; whoever stole the id has it
    /// for as long.
    #[must_use]
    pub fn with_grace(mut self, grace: Ttl) -> Self {
        self.change().grace = grace.as_micros();
        self
    }

    /// The same, with fields of at most `bytes` bytes each, in the form in which they are kept. The
    /// default is [`DEFAULT_MAX_VALUE`](Self::DEFAULT_MAX_VALUE).
    #[must_use]
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.change().max_value = bytes;
        self
    }

    /// The same, with sessions of at most `bytes` bytes: names, values, and 32 bytes for each field,
    /// which bounds their number too. The default is
    /// [`DEFAULT_MAX_BYTES`](Self::DEFAULT_MAX_BYTES).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        let most = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.change().max_weight = most.min(larder_store::MAX_INT);
        self
    }

    /// The same, with at most `devices` sessions for each user, at least one. At the sign-in that
    /// would pass it, the session that ends first is ended. The default is
    /// [`DEFAULT_MAX_DEVICES`](Self::DEFAULT_MAX_DEVICES).
    #[must_use]
    pub fn with_max_devices(mut self, devices: u16) -> Self {
        self.change().max_devices = i64::from(devices.max(1));
        self
    }

    /// The same, waiting at most `timeout` for each step of a store that takes waiting. The default
    /// is [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.change().timeout = StoreTimeout::new(timeout, self.programs.deadline());
        self
    }

    /// Refuses a lifetime that is too long.
    pub(crate) fn check_lifetime(&self, options: &SignInOptions) -> Result<()> {
        let lifetime = self.settings.lifetime;
        let max_lifetime = self.settings.max_lifetime.unwrap_or(lifetime);
        let is_allowed = options.lifetime.as_ref().is_none_or(|life| {
            life.idle() <= lifetime.idle().max(max_lifetime.idle())
                && life.absolute() <= lifetime.absolute().max(max_lifetime.absolute())
        });
        if is_allowed {
            return Ok(());
        }
        Err(Error::invalid(
            "a sign-in chose a longer lifetime than the app allows: choose a shorter one, or allow it \
             with Sessions::with_max_lifetime",
        ))
    }

    fn change(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("lifetime", &self.settings.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
