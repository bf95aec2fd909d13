//! Sessions in a store, without HTTP.

mod accounts;
mod claim;
mod devices;
mod ended;
mod everyone;
mod new_limit;
mod open;
mod revoke;
mod several_cookies;
mod steps;
mod time;
mod undo;
mod users;
mod watch;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{StoreHealth, StoreTimeout};
use larder_store::program::Programs;
use larder_store::{Store, StoreExt, Ttl};
use tokio::sync::Semaphore;

use crate::event::Events;
use crate::metrics::Metrics;
use crate::sealing::Sealing;
use crate::user_record::AtLimit;
use crate::{Lifetime, Result, SessionError, SessionEvent, SignInOptions};

pub use devices::Device;
pub(crate) use ended::Watched;
use everyone::Everyone;
use new_limit::NewLimit;
pub(crate) use open::{Opened, Opening};
pub(crate) use revoke::Revoked;
pub(crate) use several_cookies::{Found, Rival};
use time::StoreTime;
pub(crate) use undo::{Made, Undo};
pub(crate) use watch::Subject;
use watch::Watch;

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
/// // After a changed password: signed out everywhere, at the next request to any process.
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
    /// Whether the store answers at once, as one in this process does: it knows the time.
    answers_at_once: bool,
    everyone: Arc<Everyone>,
    watch: Watch,
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
    devices: DeviceLimit,
    end_reason_ttl: Ttl,
    watch_interval: Duration,
    new_limit: Option<NewLimit>,
    pub(crate) events: Events,
    pub(crate) timeout: StoreTimeout,
    /// How long an id is used before it is replaced, in microseconds. None means for ever.
    pub(crate) renewal: Option<i64>,
    pub(crate) sealing: Sealing,
}

/// How many sessions a user may have, and what a further sign-in does.
///
/// Sessions that were signed out, revoked or idle for too long do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceLimit {
    /// Any number. [`devices`](Sessions::devices) lists the latest
    /// [`MAX_LISTED`](Sessions::MAX_LISTED). The default.
    #[default]
    None,
    /// At most this many, from one to [`MAX_LISTED`](Sessions::MAX_LISTED): a further sign-in fails with
    /// [`SessionErrorKind::TooManyDevices`](crate::SessionErrorKind::TooManyDevices).
    Refuse(u16),
    /// At most this many, from one to [`MAX_LISTED`](Sessions::MAX_LISTED): a further sign-in ends the session with
    /// the oldest sign-in.
    EndOldest(u16),
}

impl DeviceLimit {
    /// Returns the limit of the list, and what happens when it is reached.
    fn parts(self) -> (i64, AtLimit) {
        let (most, at_limit) = match self {
            Self::None => (Sessions::MAX_LISTED, AtLimit::Unlist),
            Self::Refuse(most) => (most, AtLimit::Refuse),
            Self::EndOldest(most) => (most, AtLimit::EndOldest),
        };
        (most.clamp(1, Sessions::MAX_LISTED).into(), at_limit)
    }
}

impl Sessions {
    /// The default timeout of a store call: 250 ms.
    ///
    /// It is longer than the deadline of larder's own stores, so that their errors come first.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
    /// The shortest period of [`with_renewal`](Self::with_renewal): 5 minutes.
    pub const MIN_RENEWAL: Ttl = Ttl::from_secs(300);
    /// The default limit of a field: 16 KiB.
    pub const DEFAULT_MAX_VALUE: usize = 16 * 1024;
    /// The default limit of a session: 64 KiB.
    pub const DEFAULT_MAX_BYTES: usize = 64 * 1024;
    /// The maximum length of one user's list of sessions: 1,000.
    ///
    /// A session that was dropped from the list lives on, and [`revoke_all`](Self::revoke_all) ends it too.
    pub const MAX_LISTED: u16 = 1000;
    /// The default time for which the reason of a session's end is kept: a day.
    pub const DEFAULT_END_REASON_TTL: Ttl = Ttl::from_secs(86_400);
    /// The default time after which [`revoked`](crate::Session::revoked) checks the session without a
    /// message: 30 seconds.
    pub const DEFAULT_WATCH_INTERVAL: Duration = Duration::from_secs(30);

    /// Makes the sessions in `store`, with the default settings.
    ///
    /// Metrics go to the recorder that is installed at this moment.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if the store does not run programs.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let bus = store.clone().bus();
        let programs = store
            .require_programs("a session")
            .map_err(SessionError::unsuitable_store)?;
        let answers_at_once = programs.now().is_some();
        let timeout = StoreTimeout::new(Self::DEFAULT_TIMEOUT, programs.timeout());
        Ok(Self {
            programs,
            settings: Arc::new(Settings {
                lifetime: Lifetime::default(),
                max_lifetime: None,
                grace: 0,
                max_value: Self::DEFAULT_MAX_VALUE,
                max_weight: Self::DEFAULT_MAX_BYTES as i64,
                devices: DeviceLimit::None,
                end_reason_ttl: Self::DEFAULT_END_REASON_TTL,
                watch_interval: Self::DEFAULT_WATCH_INTERVAL,
                new_limit: None,
                events: Events::default(),
                timeout,
                renewal: None,
                sealing: Sealing::default(),
            }),
            metrics: Metrics::new(),
            health: StoreHealth::new("sessions"),
            sliding: Arc::new(Semaphore::new(SLIDING)),
            time: Arc::new(StoreTime::new()),
            answers_at_once,
            everyone: Arc::default(),
            watch: Watch::new(bus),
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
    /// By default it stops working at once. A sign-in never leaves a grace period: it invalidates both ids.
    ///
    /// A second or two helps a page that sends a dozen requests at once. An attacker who stole the old id
    /// can use it for the same time.
    #[must_use]
    pub fn with_grace(mut self, grace: Ttl) -> Self {
        self.change().grace = grace.as_micros();
        self
    }

    /// Replaces the id of a session in use once per `period`. By default it changes only at sign-ins.
    ///
    /// The first request after the period that uses its session gets the new id, with the cookie as it is configured
    /// now. Requests in flight may use the old id for a minute, or for the [grace](Self::with_grace) if that is
    /// longer. The old id is not replaced a second time: a visitor who does not get that response has to sign in again
    /// after the minute. A period below [`MIN_RENEWAL`](Self::MIN_RENEWAL), 5 minutes, counts as that. It costs one
    /// round trip per period.
    #[must_use]
    pub fn with_renewal(mut self, period: Ttl) -> Self {
        self.change().renewal = Some(period.max(Self::MIN_RENEWAL).as_micros());
        self
    }

    /// Sets the limit of a field, in encoded bytes. The default is
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

    /// Sets how many sessions a user may have, and what happens at that limit. By default there is no
    /// limit.
    ///
    /// A limit of 0 counts as 1, and one above [`MAX_LISTED`](Self::MAX_LISTED) as `MAX_LISTED`. A sign-in counts and
    /// adds in one atomic step, so that simultaneous sign-ins never exceed the limit.
    #[must_use]
    pub fn with_device_limit(mut self, limit: DeviceLimit) -> Self {
        self.change().devices = limit;
        self
    }

    /// Sets how long the browser of a session that was ended can [learn the
    /// reason](crate::Session::take_end_reason).
    ///
    /// The default is [`DEFAULT_END_REASON_TTL`](Self::DEFAULT_END_REASON_TTL). For that time, each such
    /// session occupies the space of a small key.
    #[must_use]
    pub fn with_end_reason_ttl(mut self, ttl: Ttl) -> Self {
        self.change().end_reason_ttl = ttl;
        self
    }

    /// Sets the interval at which [`revoked`](crate::Session::revoked) checks a session without a message,
    /// from 10 milliseconds to an hour.
    ///
    /// The default is [`DEFAULT_WATCH_INTERVAL`](Self::DEFAULT_WATCH_INTERVAL). It limits how long a stream
    /// outlives its session if the message was lost, and costs one read per stream each time.
    #[must_use]
    pub fn with_watch_interval(mut self, interval: Duration) -> Self {
        let bounds = (Duration::from_millis(10), Duration::from_secs(3600));
        self.change().watch_interval = interval.clamp(bounds.0, bounds.1);
        self
    }

    /// Limits how many anonymous sessions this process creates per second, and at once. By default there is
    /// no limit.
    ///
    /// Only a request that writes to its session creates one. Beyond the limit, the writes of visitors
    /// without a session fail with [`SessionErrorKind::Overloaded`](crate::SessionErrorKind::Overloaded),
    /// and a response whose changes are lost becomes a 503, unless
    /// [`OnFailure::Anonymous`](crate::OnFailure::Anonymous) lets it pass. Existing sessions and sign-ins are not
    /// affected. So a flood of visitors without cookies cannot fill the store.
    #[must_use]
    pub fn with_max_new_per_second(mut self, sessions: NonZeroU32) -> Self {
        self.change().new_limit = Some(NewLimit::per_second(sessions));
        self
    }

    /// Calls `function` with each [`SessionEvent`], for an audit log. By default there are no events.
    ///
    /// It runs inside the request, after the step that it reports, and must not block. If a session is ended because
    /// the answer to its sign-in was lost, it runs in a task of its own, and not at all if that task gets no answer
    /// either. It gets no secret and no cookie.
    ///
    /// ```
    /// # fn example(sessions: larder_session::Sessions) {
    /// let sessions = sessions.with_events(|event| {
    ///     println!("{:?} session={:?} reason={:?}", event.kind, event.session, event.reason);
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn with_events(mut self, function: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.change().events = Events::to(function);
        self
    }

    /// Sets how long one store call may take. The default is [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT), 250 ms.
    ///
    /// It is clamped to 1 ms to 1 hour. A store that enforces a shorter deadline itself gets no second timer.
    #[must_use]
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
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
