//! Policies that differ from visitor to visitor.

mod errors;
mod kept;
mod lookup;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Capacity, NearCache, SingleFlight, StoreTimeout};
use larder_store::{Key, Result};

use crate::Policy;
use crate::metrics::OncePerMinute;
use crate::plan::Plan;
use errors::failed;
use kept::Kept;
use lookup::MAX_FLIGHTS;

pub(crate) use errors::{changed, lost, unknown};

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

type Find = dyn Fn(String) -> Finding + Send + Sync;
type Finding = Pin<Box<dyn Future<Output = Result<Policy>> + Send>>;

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
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans")
            .field("ttl", &self.ttl)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
