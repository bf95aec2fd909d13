use std::sync::Arc;
use std::time::Duration;

use http::response::Parts;
use http::{Method, Uri};
use tower_layer::Layer;

use crate::conditions::{ExemptIf, RefundIf};
use crate::policy::Policy;
use crate::{Headers, KeyBy, OnFailure, RateLimit, RateLimiter};

/// Limits the requests to a service, each visitor on its own.
///
/// See the [crate's page](crate) for the rules, in order, and for what a deployment has to get
/// right. Clones, and the services of one layer, share the limit, its counters and its state.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// use larder_rate_limit::{KeyBy, OnFailure, Quota, RateLimitLayer, RateLimiter};
/// # fn limits(store: Arc<dyn larder_store::Store>) -> larder_store::Result<()> {
///
/// let pages = RateLimiter::new(store.clone(), "pages", Quota::per_minute(100))?;
/// let pages = RateLimitLayer::new(pages, KeyBy::peer());
///
/// let sign_in = RateLimiter::new(store, "sign-in", Quota::per_hour(10))?;
/// let sign_in = RateLimitLayer::new(sign_in, KeyBy::peer()).with_on_failure(OnFailure::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    policy: Arc<Policy>,
}

/// What a layer does with a request whose key cannot be told: that has no peer address, say, or
/// lacks the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unkeyed {
    /// Charges all such requests together, as one visitor. The default: leaving something out of a
    /// request must not be the way around its limit.
    #[default]
    Shared,
    /// Lets it pass, uncounted.
    ExemptFromLimit,
}

impl RateLimitLayer {
    /// How long a store may take if nothing else is said: 250 ms, which is more than the deadline
    /// of a backend of larder's own, so that the store's error is the one that is seen.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// A layer that charges whoever `key_by` tells, by `limiter`.
    ///
    /// Its counters belong to the recorder that is installed when it is made.
    pub fn new(limiter: RateLimiter, key_by: KeyBy) -> Self {
        Self {
            policy: Arc::new(Policy::new(limiter, key_by)),
        }
    }

    /// The same layer, with another answer to a failing store. The default is
    /// [`OnFailure::Open`].
    #[must_use]
    pub fn with_on_failure(mut self, on_failure: OnFailure) -> Self {
        Arc::make_mut(&mut self.policy).on_failure = on_failure;
        self
    }

    /// The same layer, with another answer to a request without a key. The default is
    /// [`Unkeyed::Shared`].
    #[must_use]
    pub fn with_unkeyed(mut self, unkeyed: Unkeyed) -> Self {
        Arc::make_mut(&mut self.policy).unkeyed = unkeyed;
        self
    }

    /// The shortest timeout of a layer, 1 ms: a store that takes waiting never answers in none.
    pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);

    /// The longest timeout of a layer, 1 hour: there is none that waits for ever.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

    /// The same layer, that waits at most `timeout` for a store that takes waiting, and for each function
    /// that [tells who is charged](KeyBy::from_async_fn). The default is
    /// [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT). It is held between [`MIN_TIMEOUT`](Self::MIN_TIMEOUT)
    /// and [`MAX_TIMEOUT`](Self::MAX_TIMEOUT).
    ///
    /// A store that takes longer counts as failing. The visitor may still be charged.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let timeout = timeout.clamp(Self::MIN_TIMEOUT, Self::MAX_TIMEOUT);
        Arc::make_mut(&mut self.policy).timeout = timeout;
        self
    }

    /// The same layer, that gives a request's charge back if the handler says so, by a
    /// [`Settlement::Refund`](crate::Settlement) among the extensions of its response. Of requests about
    /// which it says nothing the charge stays. By default nothing is given back.
    ///
    /// What is given back, and when, is as for [`with_refund_if`](Self::with_refund_if).
    #[must_use]
    pub fn with_refunds(self) -> Self {
        self.with_refund_if(|_| false)
    }

    /// The same layer, that gives a request's charge back if `refund` holds for the head of its response
    /// (status, headers and extensions): for what counts only when it went wrong. A handler that says
    /// otherwise by a [`Settlement`](crate::Settlement) is obeyed. By default nothing is given back.
    ///
    /// Every request is charged before it is let in, so that of any number at once no more get in than
    /// the quota has. What is given back is as [`RateLimiter::refund`] gives it; it takes one more
    /// round trip, none in process, which the response waits for. What cannot be given back is counted,
    /// and comes back by itself. Nothing is given back where the service fails without a response, or
    /// the request is dropped.
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use larder_rate_limit::{KeyBy, OnFailure, RateLimitLayer, RateLimiter};
    /// # fn layer(guesses: RateLimiter) -> RateLimitLayer {
    /// // Wrong passwords alone count.
    /// RateLimitLayer::new(guesses, KeyBy::peer())
    ///     .with_on_failure(OnFailure::Closed)
    ///     .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED)
    /// # }
    /// ```
    #[must_use]
    pub fn with_refund_if<F>(mut self, refund: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.policy).refund_if = Some(RefundIf::new(refund));
        self
    }

    /// The same layer, that lets requests for which `exempt` holds pass uncounted, and asks no store
    /// for them: a browser's preflights, say, which are `OPTIONS`. By default there are none.
    ///
    /// What a visitor may choose freely is a way around the limit, unless what stands behind it does
    /// nothing for such a request.
    #[must_use]
    pub fn with_exempt_if<F>(mut self, exempt: F) -> Self
    where
        F: Fn(&Method, &Uri) -> bool + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.policy).exempt_if = Some(ExemptIf::new(exempt));
        self
    }

    /// The same layer, with other header fields. The default is [`Headers::Draft11`].
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        Arc::make_mut(&mut self.policy).headers = headers;
        self
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit::new(inner, self.policy.clone())
    }
}
