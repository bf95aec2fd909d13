use std::sync::Arc;
use std::time::Duration;

use http::response::Parts;
use http::{Method, Uri};
use tower_layer::Layer;

use super::access_lists::AccessLists;
use super::conditions::{RefundIf, RequestCondition, SettleBy};
use super::decider::{Decider, Unkeyed};
use super::limit::Limit;
use super::refusal_memory::RefusalMemory;
use super::service::RateLimit;
use crate::headers::Headers;
use crate::limiter::DEFAULT_TIMEOUT;
use crate::{FailMode, KeyBy, RateLimiter};

/// Limits the requests of each visitor to a service.
///
/// The [crate's page](crate) lists its rules and its deployment caveats. Clones, and the services of one layer,
/// share the limit, its counters and its state.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// use larder_rate_limit::{KeyBy, FailMode, Quota, RateLimitLayer, RateLimiter};
/// # fn limits(store: Arc<dyn larder_store::Store>) -> larder_store::Result<()> {
///
/// let pages = RateLimiter::new(store.clone(), "pages", Quota::per_minute(100))?;
/// let pages = RateLimitLayer::new(pages, KeyBy::peer());
///
/// let sign_in = RateLimiter::new(store, "sign-in", Quota::per_hour(10))?;
/// let sign_in = RateLimitLayer::new(sign_in, KeyBy::peer()).with_fail_mode(FailMode::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    decider: Arc<Decider>,
}

impl RateLimitLayer {
    /// The default timeout, 250 ms.
    ///
    /// It is longer than the deadline of larder's own backends, so that their errors come first.
    pub const DEFAULT_TIMEOUT: Duration = DEFAULT_TIMEOUT;

    /// Charges the visitor that `key_by` finds, with `limiter`.
    ///
    /// Its counters belong to the metrics recorder that is installed now.
    pub fn new(limiter: RateLimiter, key_by: KeyBy) -> Self {
        Self::of(Limit::new(limiter, key_by))
    }

    /// Makes a layer with one `limit`.
    pub fn of(limit: Limit) -> Self {
        Self {
            decider: Arc::new(Decider::new(limit)),
        }
    }

    /// Adds a limit, which a request must also pass.
    ///
    /// If one refuses, none is charged. All limits that share a store take one round trip together, and one more
    /// if one refuses, to give back what the others charged and took; [`Limits`](crate::Limits) describes that.
    /// Put limits of the same visitor into one [`Policy`](crate::Policy), which is one step. Other settings of the
    /// layer apply to all its limits.
    #[must_use]
    pub fn and(mut self, limit: Limit) -> Self {
        let decider = Arc::make_mut(&mut self.decider);
        decider.limits.push(Arc::new(limit));
        decider.set_timeout(decider.timeout.limit());
        let fail_mode = decider.fail_mode.clone();
        self.with_fail_mode(fail_mode)
    }

    /// Sets what happens to requests while the store fails. The default is [`FailMode::Open`].
    #[must_use]
    pub fn with_fail_mode(mut self, fail_mode: FailMode) -> Self {
        let decider = Arc::make_mut(&mut self.decider);
        if let FailMode::Local(local) = &fail_mode {
            for limit in &mut decider.limits {
                let local = local.limiter(&limit.limiter);
                Arc::make_mut(limit).local = local;
            }
        }
        decider.fail_mode = fail_mode;
        self
    }

    /// Sets what happens to a request without a key. The default is [`Unkeyed::Shared`].
    #[must_use]
    pub fn with_unkeyed(mut self, unkeyed: Unkeyed) -> Self {
        Arc::make_mut(&mut self.decider).unkeyed = unkeyed;
        self
    }

    /// Sets the longest wait for the store, and for each function that
    /// [finds the key](KeyBy::from_async_fn).
    ///
    /// The default is [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT), 250 ms. It is clamped to 1 ms to
    /// 1 hour. A store that enforces a shorter deadline itself gets no second timer.
    ///
    /// A store that takes longer is treated as failing. The visitor may still be charged.
    #[must_use]
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.decider).set_timeout(timeout);
        self
    }

    /// Refunds the charge of a request if the handler's response requests it.
    ///
    /// The handler puts a [`Settlement::Refund`](crate::Settlement) among the extensions of its response. Without
    /// one the charge stays. By default nothing is refunded. [`with_refund_if`](Self::with_refund_if) describes
    /// what is refunded, and when.
    #[must_use]
    pub fn with_refunds(self) -> Self {
        self.with_refund_if(|_| false)
    }

    /// Refunds the charge of a request if `refund` returns true for the head of its response.
    ///
    /// Use it to count only failures. The head is status, headers and extensions. A
    /// [`Settlement`](crate::Settlement) from the handler takes precedence. By default nothing is refunded.
    ///
    /// Every request is charged before it is let in, so that of any number of concurrent requests no more than the
    /// quota get in. [`RateLimiter::refund`] describes what is given back. The response waits for it: one more
    /// round trip, or none in process. A refund that fails is counted, and the charge comes back by itself.
    /// Nothing is refunded if the service fails without a response, or if the request is dropped.
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use larder_rate_limit::{KeyBy, FailMode, RateLimitLayer, RateLimiter};
    /// # fn layer(guesses: RateLimiter) -> RateLimitLayer {
    /// // Only wrong passwords count.
    /// RateLimitLayer::new(guesses, KeyBy::peer())
    ///     .with_fail_mode(FailMode::Closed)
    ///     .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED)
    /// # }
    /// ```
    #[must_use]
    pub fn with_refund_if<F>(mut self, refund: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.decider).refund_if = Some(RefundIf::new(refund));
        self
    }

    /// Lets requests pass uncounted if `exempt` returns true for them.
    ///
    /// They do not call the store. Use it for `OPTIONS` requests of browsers, for example. By default no request
    /// is exempt.
    ///
    /// If clients can choose what `exempt` checks, they can evade the limit, unless the service does nothing for
    /// such a request.
    #[must_use]
    pub fn with_exempt_if<F>(mut self, exempt: F) -> Self
    where
        F: Fn(&Method, &Uri) -> bool + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.decider).exempt_if = Some(RequestCondition::of_target(exempt));
        self
    }

    /// Charges each request its actual cost, once its response is known.
    ///
    /// Only limits whose policy allows [reservations](crate::Policy::with_reservations) are settled. If the layer has
    /// none, its first service logs a warning, unless visitors have [plans](crate::Plans). Each request reserves its
    /// cost as an estimate. `cost` reads the actual cost from the head of the response, such as a header with the
    /// tokens of a language model. A [`Settlement::Cost`](crate::Settlement::Cost) from the handler takes precedence;
    /// without either, the estimate is charged. If the cost exceeds what is left, the visitor owes the rest.
    ///
    /// The response waits for one more round trip, or none in process. A request that is dropped, or whose service
    /// fails without a response, costs nothing once its reservation has ended. If the cost is known only at the
    /// end of the body, [reserve](crate::RateLimiter::reserve) in the handler instead.
    ///
    /// ```
    /// # use larder_rate_limit::RateLimitLayer;
    /// # fn layer(layer: RateLimitLayer) -> RateLimitLayer {
    /// layer.with_settled_cost(|response| response.headers.get("x-tokens")?.to_str().ok()?.parse().ok())
    /// # }
    /// ```
    #[must_use]
    pub fn with_settled_cost<F>(mut self, cost: F) -> Self
    where
        F: Fn(&Parts) -> Option<u32> + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.decider).settle_by = Some(SettleBy::new(cost));
        self
    }

    /// Lets some networks pass uncounted, and refuses others with 403.
    ///
    /// By default there are no lists. Neither list calls the store.
    #[must_use]
    pub fn with_access_lists(mut self, lists: AccessLists) -> Self {
        Arc::make_mut(&mut self.decider).lists = Some(lists);
        self
    }

    /// Remembers refusals in this process, so that a flood of one visitor costs few calls to the store.
    ///
    /// By default every request calls the store.
    #[must_use]
    pub fn with_refusal_memory(mut self, memory: RefusalMemory) -> Self {
        Arc::make_mut(&mut self.decider).memory = Some(memory);
        self
    }

    /// Adds a random time up to `longest` to each `Retry-After`, so that not all clients return at once.
    ///
    /// By default nothing is added. The result is never earlier than the time at which the request passes.
    #[must_use]
    pub fn with_retry_jitter(mut self, longest: Duration) -> Self {
        Arc::make_mut(&mut self.decider).jitter = longest;
        self
    }

    /// Sets the header fields of responses. The default is [`Headers::Draft11`].
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        Arc::make_mut(&mut self.decider).headers = headers;
        self
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        self.decider.warn_of_idle_settings();
        RateLimit::new(inner, self.decider.clone())
    }
}
