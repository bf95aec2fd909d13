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
use larder_store::program::Programs;
use larder_store::{Store, StoreExt, Ttl};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::sealing::Sealing;
use crate::{Lifetime, Result, SessionError, SignInOptions};

pub(crate) use candidates::{Found, Rival};
pub use devices::Device;
pub(crate) use open::Opened;
use time::StoreTime;

/// The sessions of an app, in a store.
///
/// It holds the settings, and it lists and revokes the sessions of any user, without HTTP. All
/// processes on one store share the sessions. Clones are cheap and share everything.
///
/// ```
/// use std::sync::Arc;
///
/// use larder_session::{Lifetime, Sessions};
///
/// # async fn example(store: Arc<dyn larder_store::Store>) -> larder_session::Result<()> {
/// let sessions = Sessions::new(store)?.with_lifetime(Lifetime::AAL1);
/// // After a changed password: signed out everywhere, at the next request of any process.
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
    /// Permits for background tasks that record activity.
    sliding: Arc<Semaphore>,
    time: Arc<StoreTime>,
}

/// The number of background tasks that may record activity at once.
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
    /// How long an id is used before it is replaced, in microseconds. None means always.
    pub(crate) renewal: Option<i64>,
    pub(crate) sealing: Sealing,
}

impl Sessions {
    /// The default timeout of a store call: 250 ms.
    ///
    /// That is longer than the deadline of larder's own stores, so their errors are seen first.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
    /// The shortest timeout, 1 ms: a store that has to wait never answers in less.
    pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);
    /// The longest timeout, 1 hour: no call waits for ever.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
    /// The shortest period of [`with_renewal`](Self::with_renewal): 5 minutes.
    pub const MIN_RENEWAL: Ttl = Ttl::from_secs(300);
    /// The default limit of a field: 16 KiB.
    pub const DEFAULT_MAX_VALUE: usize = 16 * 1024;
    /// The default limit of a session: 64 KiB.
    pub const DEFAULT_MAX_BYTES: usize = 64 * 1024;
    /// The default limit of sessions per user: 100.
    pub const DEFAULT_MAX_DEVICES: u16 = 100;

    /// Makes the sessions in `store`, with the default settings.
    ///
    /// Metrics go to the recorder that is installed at this moment.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if the store does not run programs.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let programs = store
            .require_programs("a session")
            .map_err(|error| SessionError::invalid(error.to_string()))?;
        let timeout = StoreTimeout::new(Self::DEFAULT_TIMEOUT, programs.timeout());
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
                renewal: None,
                sealing: Sealing::default(),
            }),
            metrics: Metrics::new(),
            health: StoreHealth::new("sessions"),
            sliding: Arc::new(Semaphore::new(SLIDING)),
            time: Arc::new(StoreTime::new()),
        })
    }

    /// Sets how long sessions live. The default is [`Lifetime::AAL2`].
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.change().lifetime = lifetime;
        self
    }

    /// Sets the longest idle and absolute time that a sign-in may choose with
    /// [`log_in_with`](crate::Session::log_in_with).
    ///
    /// By default that is the app's own lifetime, which is always allowed. A session that signed in under
    /// a higher limit keeps its lifetime.
    #[must_use]
    pub fn with_max_lifetime(mut self, longest: Lifetime) -> Self {
        self.change().max_lifetime = Some(longest);
        self
    }

    /// Sets how long the old id still works after a [`rotate`](crate::Session::rotate).
    ///
    /// By default it stops working at once. A sign-in never leaves a grace: it ends both ids.
    ///
    /// A second or two helps a page that sends a dozen requests at once. Someone who stole the old id can
    /// use it for as long.
    #[must_use]
    pub fn with_grace(mut self, grace: Ttl) -> Self {
        self.change().grace = grace.as_micros();
        self
    }

    /// Replaces the id of a session in use once per `period`. By default it changes at sign-ins only.
    ///
    /// The first request after the period that uses its session gets the new id, with the cookie as it
    /// is configured now. Requests that are in flight may use the old one for a minute, or for the
    /// [grace](Self::with_grace) if that is longer. A visitor whom that response does not reach within
    /// the minute has to sign in again. The period is at least [`MIN_RENEWAL`](Self::MIN_RENEWAL). It
    /// costs one round trip per period.
    #[must_use]
    pub fn with_renewal(mut self, period: Ttl) -> Self {
        self.change().renewal = Some(period.max(Self::MIN_RENEWAL).as_micros());
        self
    }

    /// Sets the limit of a field, in bytes as it is encoded. The default is
    /// [`DEFAULT_MAX_VALUE`](Self::DEFAULT_MAX_VALUE).
    #[must_use]
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.change().max_value = bytes;
        self
    }

    /// Sets the limit of a session, in bytes: names, values, and 32 bytes for each field, which limits
    /// the number of fields too. The default is [`DEFAULT_MAX_BYTES`](Self::DEFAULT_MAX_BYTES).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        let most = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.change().max_weight = most.min(larder_store::program::MAX_INT);
        self
    }

    /// Sets how many sessions a user may have, at least one. The default is
    /// [`DEFAULT_MAX_DEVICES`](Self::DEFAULT_MAX_DEVICES).
    ///
    /// A sign-in beyond the limit ends the session that would end first.
    #[must_use]
    pub fn with_max_devices(mut self, devices: u16) -> Self {
        self.change().max_devices = i64::from(devices.max(1));
        self
    }

    /// Sets how long one store call may take. The default is
    /// [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT). It is held between
    /// [`MIN_TIMEOUT`](Self::MIN_TIMEOUT) and [`MAX_TIMEOUT`](Self::MAX_TIMEOUT).
    ///
    /// A store that enforces a shorter deadline itself gets no second timer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let timeout = timeout.clamp(Self::MIN_TIMEOUT, Self::MAX_TIMEOUT);
        self.change().timeout = StoreTimeout::new(timeout, self.programs.timeout());
        self
    }

    /// Refuses a lifetime beyond the limit.
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
        Err(SessionError::invalid(
            "the sign-in chose a longer lifetime than the app allows: choose a shorter one, or raise \
             the limit with Sessions::with_max_lifetime",
        ))
    }

    pub(crate) fn change(&mut self) -> &mut Settings {
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
