use std::borrow::Cow;
use std::sync::Arc;

use larder_store::Key;
use tokio::sync::Semaphore;

use super::conditions::{CostBy, RequestCondition};
use super::response::Refusals;
use super::settling::ChargedStore;
use super::verdict::Decided;
use crate::headers::Fields;
use crate::limiter::Engine;
use crate::metrics::Metrics;
use crate::{Decision, KeyBy, Policy, RateLimiter, RequestHead};

/// One limit of a layer: a limiter, whom it charges, for which requests and how much.
///
/// A layer may have [several](crate::RateLimitLayer::and). Its counters belong to the metrics recorder that is
/// installed when the limit is made.
///
/// ```
/// # use std::sync::Arc;
/// use larder_rate_limit::{KeyBy, Limit, Policy, Quota, RateLimitLayer, RateLimiter};
/// # fn limits(store: Arc<dyn larder_store::Store>) -> larder_store::Result<RateLimitLayer> {
///
/// let pages = RateLimiter::new(store.clone(), "pages", Quota::per_minute(100))?;
/// let search = RateLimiter::new(store.clone(), "search", Quota::per_hour(500))?;
/// let health = RateLimiter::new(store, "health", Policy::unlimited())?;
///
/// Ok(RateLimitLayer::new(pages, KeyBy::peer())
///     // A search costs ten units. For now it is only watched.
///     .and(
///         Limit::new(search, KeyBy::peer())
///             .with_cost_by(|request| if request.uri().path() == "/search" { 10 } else { 0 })
///             .with_shadow_mode(),
///     )
///     // Health checks are free.
///     .and(
///         Limit::new(health, KeyBy::everybody())
///             .with_condition(|request| request.uri().path() == "/health")
///             .with_replaced("pages"),
///     ))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Limit {
    pub(super) limiter: RateLimiter,
    /// The limiter that counts in this process while the store fails, if it has another quota.
    pub(super) local: Option<RateLimiter>,
    pub(super) key_by: KeyBy,
    pub(super) needs_parts: bool,
    fields: Cow<'static, Fields>,
    pub(super) refusals: Refusals,
    pub(super) metrics: Metrics,
    pub(super) is_shadow: bool,
    /// Permits for checks in shadow mode, which run in the background.
    pub(super) shadows: Arc<Semaphore>,
    condition: Option<RequestCondition>,
    cost_by: Option<CostBy>,
    replaced: Vec<Arc<str>>,
}

/// The maximum number of checks of one limit in shadow mode that run at once.
const MAX_SHADOWS: usize = 1_000;

impl Limit {
    /// Charges the visitor that `key_by` finds, with `limiter`.
    pub fn new(limiter: RateLimiter, key_by: KeyBy) -> Self {
        Self {
            fields: Fields::of(limiter.policy(), &limiter.rules()).kept(),
            refusals: Refusals::new(
                limiter.policy(),
                match limiter.has_plans() {
                    true => Policy::MAX_RULES,
                    false => limiter.rules().len(),
                },
            ),
            metrics: Metrics::new(limiter.policy()),
            local: None,
            needs_parts: key_by.needs_parts(),
            key_by: key_by.prepared_for(&limiter),
            limiter,
            is_shadow: false,
            shadows: Arc::new(Semaphore::new(MAX_SHADOWS)),
            condition: None,
            cost_by: None,
            replaced: Vec::new(),
        }
    }

    /// Counts what the limit would refuse, and refuses nothing.
    ///
    /// Use it to see what a new limit would do before you enforce it: `larder_rate_limit_shadow_total` counts that.
    /// A request is charged as if the limit were enforced: not if another limit refuses it, and
    /// [refunded](crate::RateLimitLayer::with_refund_if) or [settled](crate::RateLimitLayer::with_settled_cost)
    /// by its response. The response does not mention the limit.
    ///
    /// A request waits for an async function that finds the limit's key, as for any limit. It waits for the store only
    /// if a rule limits concurrency, and never for a [plan](crate::Plans) that must still be looked up: it is then
    /// checked in the background, and a slot that it takes is released at once. At most 1,000 background checks run at
    /// once; any further check is skipped, and counts as `failed`.
    #[must_use]
    pub fn with_shadow_mode(mut self) -> Self {
        self.is_shadow = true;
        self
    }

    /// Applies the limit only to requests for which `condition` returns true. Default: all requests.
    #[must_use]
    pub fn with_condition<F>(mut self, condition: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.condition = Some(RequestCondition::new(condition));
        self
    }

    /// Replaces the layer's limit named `policy`, for the requests that this limit applies to.
    ///
    /// With a [condition](Self::with_condition), it gives some callers another quota, or none with
    /// [`Policy::unlimited`](crate::Policy::unlimited). The replaced limit neither charges them nor calls the
    /// store.
    ///
    /// If the layer has no other limit of that name, nothing is replaced, and the first service that the layer
    /// makes logs a warning.
    #[must_use]
    pub fn with_replaced(mut self, policy: &str) -> Self {
        self.replaced.push(policy.into());
        self
    }

    /// Charges each request the units that `cost` returns for it, instead of the limiter's own cost.
    ///
    /// A request that costs 0 is not charged, and the store is not called. One that costs more than the burst is
    /// charged the whole burst, so that it can pass at all.
    #[must_use]
    pub fn with_cost_by<F>(mut self, cost: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> u32 + Send + Sync + 'static,
    {
        self.cost_by = Some(CostBy::new(cost));
        self
    }

    /// Returns whether the limit applies to a request, before others replace it.
    pub(super) fn applies_to(&self, request: &RequestHead<'_>) -> bool {
        let condition = self.condition.as_ref();
        condition.is_none_or(|condition| condition.holds(request))
    }

    /// Returns the policies that this limit replaces.
    pub(super) fn replaced(&self) -> impl Iterator<Item = &str> {
        self.replaced.iter().map(|policy| &**policy)
    }

    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.replaced()
            .any(|policy| policy == other.limiter.policy())
    }

    /// Returns the cost of a request, which may exceed the burst.
    pub(super) fn cost_of(&self, request: &RequestHead<'_>) -> u32 {
        match &self.cost_by {
            None => self.limiter.cost(),
            Some(cost_by) => cost_by.cost(request),
        }
    }

    /// Returns the charge of a visitor that `engine` counts for a request of this cost: at most its burst, if a
    /// function returned the cost.
    pub(super) fn charged(&self, engine: &Engine, cost: u32) -> u32 {
        match &self.cost_by {
            None => cost,
            Some(_) => cost.min(engine.max_cost()),
        }
    }

    /// Returns a decision of this limit, which has the index `at`, about a visitor that `engine` counts.
    #[inline]
    pub(super) fn decided(&self, at: usize, engine: &Engine, decision: Decision) -> Decided {
        let has_plans = self.limiter.has_plans();
        Decided {
            limit: at,
            decision,
            plan: engine.plan().filter(|_| has_plans).cloned(),
        }
    }

    /// Returns the limiter that counts in this store.
    pub(super) fn counting_in(&self, store: ChargedStore) -> &RateLimiter {
        match (store, &self.local) {
            (ChargedStore::Local, Some(local)) => local,
            _ => &self.limiter,
        }
    }

    /// Returns the fields of the limiter's own policy, if they are kept for as long as the process runs.
    #[inline]
    pub(super) fn kept_fields(&self) -> Option<&'static Fields> {
        match &self.fields {
            Cow::Borrowed(fields) => Some(*fields),
            Cow::Owned(_) => None,
        }
    }

    /// Returns the fields of the policy that decided.
    pub(super) fn fields<'a>(&'a self, decided: &'a Decided) -> &'a Fields {
        match &decided.plan {
            None => &self.fields,
            Some(plan) => plan.fields(self.limiter.policy()),
        }
    }

    /// Returns whether every request is charged alike, in one step that may complete without waiting.
    pub(super) fn is_simple(&self) -> bool {
        !self.is_shadow
            && self.condition.is_none()
            && self.cost_by.is_none()
            && !self.limiter.has_concurrency()
            && !self.limiter.is_unlimited()
    }

    /// Returns the key that all requests without a key share.
    pub(super) fn unkeyed(&self) -> Key {
        self.limiter.key("unkeyed")
    }
}
