//! One limit as a layer declares it, and how it decides.

use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use larder_layer::StoreTimeout;
use larder_layer::http::ResponseBody;
use larder_store::{Key, Result};

use super::conditions::{ExemptIf, RefundIf};
use super::headers::{Fields, Headers};
use super::response::{Protocol, Refusals};
use crate::key::{Found, Lookup, RequestView};
use crate::limiter::DEFAULT_TIMEOUT;
use crate::metrics::{Metrics, Outcome};
use crate::{Decision, FailMode, KeyBy, RateLimiter};

/// What a layer does with a request that has no key: no peer address, say, or no such header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unkeyed {
    /// Charges all such requests together, as one visitor. The default, so that no client evades
    /// its limit by leaving something out of a request.
    #[default]
    Shared,
    /// Lets the request pass, uncounted.
    ExemptFromLimit,
}

#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) limiter: RateLimiter,
    key_by: KeyBy,
    fields: Fields,
    refusals: Refusals,
    pub(super) metrics: Metrics,
    pub(super) fail_mode: FailMode,
    pub(super) unkeyed: Unkeyed,
    pub(super) timeout: StoreTimeout,
    pub(super) headers: Headers,
    pub(super) exempt_if: Option<ExemptIf>,
    pub(super) refund_if: Option<RefundIf>,
}

/// What a layer does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// Lets it pass, with what it was charged, if anything.
    Pass(Option<Charge>),
    /// Refuses it with 429, or the gRPC status for that.
    TooMany(Decision),
    /// Refuses it with 503, or the gRPC status for that.
    Unavailable,
}

/// What a request was charged, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) decision: Decision,
    pub(super) store: ChargedStore,
}

/// The store that holds the state of the visitor who was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChargedStore {
    /// The limiter's store.
    Shared,
    /// The local one, used while the limiter's store fails.
    Local,
}

impl Policy {
    pub(super) fn new(limiter: RateLimiter, key_by: KeyBy) -> Self {
        Self {
            fields: Fields::new(limiter.policy(), limiter.quota()),
            refusals: Refusals::new(limiter.policy()),
            metrics: Metrics::new(limiter.policy()),
            timeout: StoreTimeout::new(DEFAULT_TIMEOUT, limiter.store_deadline()),
            limiter,
            key_by,
            fail_mode: FailMode::default(),
            unkeyed: Unkeyed::default(),
            headers: Headers::default(),
            exempt_if: None,
            refund_if: None,
        }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = StoreTimeout::new(timeout, self.limiter.store_deadline());
    }

    /// Finds the key to charge, as far as that takes no waiting. An exempt request has none.
    pub(super) fn key_of<B>(&self, request: Request<B>) -> (Found, Request<B>) {
        let exempt_if = self.exempt_if.as_ref();
        if exempt_if.is_some_and(|it| it.holds(&request)) {
            self.metrics.count(Outcome::Exempt);
            return (Found::Now(None), request);
        }
        if self.key_by.needs_parts() {
            let (parts, body) = request.into_parts();
            let found = self.found(RequestView::of_parts(&parts));
            return (found, Request::from_parts(parts, body));
        }
        (self.found(RequestView::of(&request)), request)
    }

    fn found(&self, request: RequestView<'_>) -> Found {
        match self.key_by.find(&self.limiter, request) {
            Found::Now(key) => Found::Now(key.or_else(|| self.unkeyed())),
            later => later,
        }
    }

    /// Waits for the key to charge.
    pub(super) async fn key<B>(
        &self,
        lookup: Lookup,
        request: Request<B>,
    ) -> (Option<Key>, Request<B>) {
        let (parts, body) = request.into_parts();
        let timed_out = || self.metrics.key_timed_out();
        let key = lookup
            .key(&self.limiter, &parts, self.timeout.limit(), timed_out)
            .await;
        let key = key.or_else(|| self.unkeyed());
        (key, Request::from_parts(parts, body))
    }

    fn unkeyed(&self) -> Option<Key> {
        self.metrics.unkeyed();
        match self.unkeyed {
            Unkeyed::Shared => Some(self.limiter.key("unkeyed")),
            Unkeyed::ExemptFromLimit => {
                self.metrics.count(Outcome::Exempt);
                None
            }
        }
    }

    /// Decides if the store answers at once. Pending means that nothing was charged.
    pub(super) fn decide_now(&self, key: &Key) -> Poll<Verdict> {
        self.limiter
            .check_now(key)
            .map(|answer| self.conclude(key, answer))
    }

    /// Decides, and waits for the store at most for the timeout.
    pub(super) async fn decide(&self, key: &Key) -> Verdict {
        let check = self.limiter.check_key(key);
        let answer = self.timeout.run("check a rate limit", check).await;
        self.conclude(key, answer)
    }

    fn conclude(&self, key: &Key, answer: Result<Decision>) -> Verdict {
        match answer {
            Ok(decision) => {
                self.metrics.health.succeeded();
                let outcomes = [Outcome::Allowed, Outcome::Refused];
                self.verdict(decision, ChargedStore::Shared, outcomes)
            }
            Err(error) => {
                self.metrics.health.failed(&error);
                self.without_store(key)
            }
        }
    }

    fn without_store(&self, key: &Key) -> Verdict {
        match &self.fail_mode {
            FailMode::Open => {
                self.metrics.count(Outcome::FailedOpen);
                Verdict::Pass(None)
            }
            FailMode::Closed => self.closed(),
            FailMode::Local(local) => match local.check(&self.limiter, key) {
                Ok(decision) => {
                    let outcomes = [Outcome::LocalAllowed, Outcome::LocalRefused];
                    self.verdict(decision, ChargedStore::Local, outcomes)
                }
                Err(_) => self.closed(),
            },
        }
    }

    fn verdict(
        &self,
        decision: Decision,
        store: ChargedStore,
        [allowed, refused]: [Outcome; 2],
    ) -> Verdict {
        if decision.is_shared() {
            self.metrics.shared();
        }
        if decision.is_allowed() {
            self.metrics.count(allowed);
            Verdict::Pass(Some(Charge { decision, store }))
        } else {
            self.metrics.count(refused);
            Verdict::TooMany(decision)
        }
    }

    fn closed(&self) -> Verdict {
        self.metrics.count(Outcome::FailedClosed);
        Verdict::Unavailable
    }

    /// Returns the response to a visitor that has used up its quota.
    pub(super) fn too_many<B>(
        &self,
        decision: Decision,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let mut response = self.refusals.too_many(decision, protocol);
        self.append_headers(&decision, response.headers_mut());
        response
    }

    /// Returns the response while the store fails.
    pub(super) fn unavailable<B>(&self, protocol: Protocol) -> Response<ResponseBody<B>> {
        self.refusals.unavailable(protocol)
    }

    /// Appends the header fields that describe the limit.
    pub(super) fn append_headers(&self, decision: &Decision, headers: &mut HeaderMap) {
        match self.headers {
            Headers::None => {}
            Headers::Draft11 => {
                let more = self.limiter.until_more(decision);
                self.fields.append(more, decision, headers);
            }
        }
    }
}
