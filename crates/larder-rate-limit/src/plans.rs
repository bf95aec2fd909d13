//! Policies that differ from visitor to visitor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Capacity, Failure, Held, Joined, NearCache, SingleFlight, StoreTimeout};
use larder_store::{Error, ErrorKind, Key, KeyId, Result, Timestamp};
use tokio::time::{Instant, timeout_at};

use crate::metrics::OncePerMinute;
use crate::plan::{Plan, micros};
use crate::visitor_id::id_of;
use crate::{Policy, RateLimiter};

/// The policies of visitors, which a function finds and this process keeps for a while.
///
/// Use it for plans that tenants have paid for. The function gets the id of the visitor: `acme` for
/// `limiter.check("acme")`, and `own:acme`, `user:42` or `header:x-api-key:4711` for what [`KeyBy`](crate::KeyBy)
/// finds. Colons separate the parts of an id, and those of a key [of several sources](crate::KeyBy::and) are
/// percent-encoded. An id that has more than some 90 bytes when it is percent-encoded arrives as `#` and its hash: give
/// such visitors a shorter id by [`KeyBy::from_fn`](crate::KeyBy::from_fn).
///
/// The function is called once for a visitor however many requests wait for it, and again when the TTL has passed.
/// While it fails or takes longer than the timeout, the last plan of the visitor applies, or without one the limiter's
/// own policy; it is called again after 1 second. Waiting for it needs a tokio runtime with the time driver enabled.
///
/// When a plan changes, the [`QuotaChange`](crate::QuotaChange) of the new one decides what happens to the used
/// units. Until the TTL has passed, another process may still count by the old plan. A charge there keeps what the
/// rules of the old plan have counted and forgets the others, so a rule that the new plan adds counts in full only
/// after that. The same applies to a visitor whom the limiter's own policy counts in the meantime.
///
/// ```
/// use larder_rate_limit::{Plans, Policy, Quota, QuotaChange, RateLimiter};
///
/// # async fn plan_of(tenant: &str) -> std::io::Result<&'static str> { Ok("pro") }
/// # fn api(limiter: RateLimiter) -> larder_store::Result<RateLimiter> {
/// let plans = Plans::new(async |tenant: String| {
///     Ok::<_, std::io::Error>(match plan_of(&tenant).await? {
///         "pro" => Policy::new(Quota::per_minute(6_000)).with_quota_change(QuotaChange::Proportional),
///         "internal" => Policy::unlimited(),
///         _ => Policy::new(Quota::per_minute(60)),
///     })
/// });
/// limiter.with_plans(plans)
/// # }
/// ```
pub struct Plans {
    find: Box<Find>,
    kept: NearCache<Key, Kept>,
    flights: Arc<SingleFlight<Key, Option<Arc<Plan>>>>,
    ttl: Duration,
    timeout: Duration,
    /// The name of the limiter.
    policy: Box<str>,
    failed: OncePerMinute,
}

/// What this process knows of a visitor.
#[derive(Clone)]
enum Kept {
    Plan(Arc<Plan>),
    /// None was found, and the limiter's own policy has charged the visitor since.
    ChargedByOwn,
    /// None was found.
    NotFound,
}

impl Kept {
    fn plan(self) -> Option<Arc<Plan>> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::ChargedByOwn | Self::NotFound => None,
        }
    }
}

type Find = dyn Fn(String) -> Finding + Send + Sync;
type Finding = Pin<Box<dyn Future<Output = Result<Policy>> + Send>>;

/// The time after a failure until the function is called again.
const RETRY: Duration = Duration::from_secs(1);

/// The maximum number of visitors whose plans are being found at once. Others are counted by their last plan.
const MAX_FLIGHTS: usize = 1_000;

impl Plans {
    /// The default TTL of a plan: 1 minute.
    pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

    /// The default timeout of the function: 250 ms.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// The default maximum number of plans that are kept: 10,000.
    pub const DEFAULT_MAX_KEYS: u64 = 10_000;

    /// Finds the policy of a visitor with `find`.
    ///
    /// While it fails, that is logged once a minute, but not what its error says, which may name the visitor. To know
    /// that, log it in the function.
    pub fn new<F, Fut, E>(find: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<Policy, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        Self {
            find: Box::new(move |visitor| {
                let found = find(visitor);
                Box::pin(async move { found.await.map_err(|_| failed()) })
            }),
            kept: NearCache::new(Capacity::Entries(Self::DEFAULT_MAX_KEYS)),
            flights: SingleFlight::new(MAX_FLIGHTS),
            ttl: Self::DEFAULT_TTL,
            timeout: Self::DEFAULT_TIMEOUT,
            policy: Box::default(),
            failed: OncePerMinute::default(),
        }
    }

    /// Sets how long a plan is kept. The default is [`DEFAULT_TTL`](Self::DEFAULT_TTL).
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the longest wait for the function. The default is [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT), 250 ms.
    ///
    /// It is clamped to 1 ms to 1 hour. A layer waits no longer than its
    /// [own timeout](crate::RateLimitLayer::with_store_timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(StoreTimeout::MIN, StoreTimeout::MAX);
        self
    }

    /// Sets how many plans are kept. The default is [`DEFAULT_MAX_KEYS`](Self::DEFAULT_MAX_KEYS), 10,000.
    ///
    /// It is at least 1; 0 counts as 1.
    #[must_use]
    pub fn with_max_keys(mut self, keys: u64) -> Self {
        self.kept = NearCache::new(Capacity::Entries(keys.max(1)));
        self
    }

    /// Names the limiter in the log.
    pub(crate) fn of_limiter(self, policy: &str) -> Self {
        let policy = policy.into();
        Self { policy, ..self }
    }

    /// Returns the plan that is kept for the visitor with `key`. `Some(None)` means the limiter's own.
    pub(crate) fn kept(&self, key: &Key, now: i64) -> Option<Option<Arc<Plan>>> {
        let held = self.kept.get(key)?;
        (held.deadline.as_micros() > now).then(|| held.value.plan())
    }

    /// Returns the same for a request that charges the visitor.
    pub(crate) fn kept_to_charge(&self, key: &Key, now: i64) -> Option<Option<Arc<Plan>>> {
        let held = self.kept.get(key)?;
        if held.deadline.as_micros() <= now {
            return None;
        }
        if matches!(held.value, Kept::NotFound) {
            self.charged_by_own(key);
        }
        Some(held.value.plan())
    }

    /// Notes that the limiter's own policy charges the visitor, so that it can refund that.
    pub(crate) fn charged_by_own(&self, key: &Key) {
        self.kept.update(key, |held| {
            let held = held.filter(|held| matches!(held.value, Kept::NotFound))?;
            let value = Kept::ChargedByOwn;
            Some(Held { value, ..held })
        });
    }

    /// Finds the plan of the visitor with `key`, and waits `within` at most. None if no plan was found.
    pub(crate) async fn find(&self, key: &Key, now: i64, within: Duration) -> Option<Arc<Plan>> {
        if let Some(plan) = self.kept(key, now) {
            return plan;
        }
        let within = within.min(self.timeout);
        let deadline = Instant::now() + within;
        loop {
            match self.flights.join(key, || self.kept(key, now)) {
                Joined::Hit(plan) => return plan,
                Joined::Full => return self.last(key),
                Joined::Leader(leader) => {
                    let plan = self.call_and_keep(key, now, deadline).await;
                    leader.complete(plan.clone());
                    return plan;
                }
                Joined::Follower(follower) => {
                    match follower.outcome(deadline).await {
                        Ok(plan) => return plan,
                        Err(Failure::TimedOut) => return self.last(key),
                        // The leader's request was dropped, so another one leads.
                        Err(Failure::Abandoned | Failure::Panicked) => {}
                    }
                }
            }
        }
    }

    /// Finds the newest plan of the visitor with `key`, even if one is kept. Returns the last one if that fails.
    pub(crate) async fn find_anew(&self, key: &Key, now: i64) -> Option<Arc<Plan>> {
        self.call_and_keep(key, now, Instant::now() + self.timeout)
            .await
    }

    async fn call_and_keep(&self, key: &Key, now: i64, deadline: Instant) -> Option<Arc<Plan>> {
        let generation = self.kept.generation(key);
        let (found, ttl) = self.call(key, deadline).await;
        let deadline = Timestamp::from_micros(now).plus_micros(micros(ttl));
        // A plan that was forgotten in the meantime is looked up again.
        self.kept
            .insert_if_unchanged(key.clone(), found.clone(), deadline, generation);
        found.plan()
    }

    /// Calls the function. Returns what is now known, and for how long.
    async fn call(&self, key: &Key, deadline: Instant) -> (Kept, Duration) {
        let found = timeout_at(deadline, (self.find)(id_of(key))).await;
        let plan = match found {
            Ok(Ok(policy)) => Plan::new(policy),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late()),
        };
        match plan {
            Ok(plan) => (Kept::Plan(Arc::new(plan)), self.ttl),
            Err(error) => {
                if self.failed.is_due() {
                    let policy = &*self.policy;
                    tracing::warn!(policy, ?error, "the lookup of plans fails");
                }
                let last = self.kept.peek(key).map(|held| held.value);
                (last.unwrap_or(Kept::NotFound), RETRY.min(self.ttl))
            }
        }
    }

    /// Returns whether this process knows how the visitor was counted last.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        let kept = self.kept.peek(key);
        kept.is_some_and(|held| !matches!(held.value, Kept::NotFound))
    }

    /// Returns the last plan of a visitor, however old.
    pub(crate) fn last(&self, key: &Key) -> Option<Arc<Plan>> {
        self.kept.peek(key)?.value.plan()
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.kept.invalidate(key);
    }
}

impl RateLimiter {
    /// Forgets the plan that this process keeps for `visitor`, because it has changed.
    ///
    /// Other processes find the new one when their TTL has passed.
    pub fn forget_plan(&self, visitor: impl KeyId) {
        if let Some(plans) = &self.plans {
            plans.forget(&self.key(visitor));
        }
    }
}

/// Returns the error for a charge whose rules are no longer known.
pub(crate) fn lost() -> Error {
    const TEXT: &str =
        "the plan that was charged is no longer known, and was not found: the charge stays";
    Error::new("refund a rate limit", ErrorKind::NotSent, TEXT)
}

/// Returns the error for an operation on a visitor whose rules are not known.
pub(crate) fn unknown() -> Error {
    const TEXT: &str = "the visitor's plan was not found, and without it the counts of its rules would be lost: \
                        try again when plans can be found, or reset the visitor";
    Error::new("change a rate limit", ErrorKind::NotSent, TEXT)
}

/// Its source may name the visitor, and what is logged must not.
fn failed() -> Error {
    const TEXT: &str = "the plan lookup failed";
    Error::new("find a plan", ErrorKind::NotSent, TEXT)
}

fn late() -> Error {
    const TEXT: &str = "the plan lookup did not finish within the timeout";
    Error::new("find a plan", ErrorKind::NotSent, TEXT)
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans")
            .field("ttl", &self.ttl)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
