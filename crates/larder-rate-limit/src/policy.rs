//! One limit as a layer declares it, and how it decides, without tower.

use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use larder_store::{Error, ErrorKind, Key, Result};

use crate::body::ResponseBody;
use crate::charge::{Charge, Ledger};
use crate::conditions::{ExemptIf, RefundIf};
use crate::headers::Fields;
use crate::key::{Found, Lookup, Seen};
use crate::meter::{Meter, Outcome};
use crate::response::{Dialect, Refusals};
use crate::{Decision, Headers, KeyBy, OnFailure, RateLimitLayer, RateLimiter, Unkeyed};

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) limiter: RateLimiter,
    key_by: KeyBy,
    fields: Fields,
    refusals: Refusals,
    pub(crate) meter: Meter,
    pub(crate) on_failure: OnFailure,
    pub(crate) unkeyed: Unkeyed,
    pub(crate) timeout: Duration,
    pub(crate) headers: Headers,
    pub(crate) exempt_if: Option<ExemptIf>,
    pub(crate) refund_if: Option<RefundIf>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// It passes; what it was charged, if anything, is told on its response.
    Pass(Option<Charge>),
    /// It is refused with 429, or what gRPC has for it.
    TooMany(Decision),
    /// It is refused with 503, or what gRPC has for it.
    Unavailable,
}

impl Policy {
    pub(crate) fn new(limiter: RateLimiter, key_by: KeyBy) -> Self {
        Self {
            fields: Fields::new(limiter.policy(), limiter.quota()),
            refusals: Refusals::new(limiter.policy()),
            meter: Meter::new(limiter.policy()),
            limiter,
            key_by,
            on_failure: OnFailure::default(),
            unkeyed: Unkeyed::default(),
            timeout: RateLimitLayer::DEFAULT_TIMEOUT,
            headers: Headers::default(),
            exempt_if: None,
            refund_if: None,
        }
    }

    /// Whom to charge, as far as that takes no waiting; nobody, where the request is exempt.
    pub(crate) fn key_of<B>(&self, request: Request<B>) -> (Found, Request<B>) {
        let exempt_if = self.exempt_if.as_ref();
        if exempt_if.is_some_and(|it| it.holds(&request)) {
            self.meter.count(Outcome::Exempt);
            return (Found::Now(None), request);
        }
        if self.key_by.needs_parts() {
            let (parts, body) = request.into_parts();
            let found = self.found(Seen::of_parts(&parts));
            return (found, Request::from_parts(parts, body));
        }
        (self.found(Seen::of(&request)), request)
    }

    fn found(&self, seen: Seen<'_>) -> Found {
        match self.key_by.find(&self.limiter, seen) {
            Found::Now(key) => Found::Now(key.or_else(|| self.unkeyed())),
            later => later,
        }
    }

    /// Whom to charge, once it is known.
    pub(crate) async fn key<B>(
        &self,
        lookup: Lookup,
        request: Request<B>,
    ) -> (Option<Key>, Request<B>) {
        let (parts, body) = request.into_parts();
        let too_late = || self.meter.key_too_late();
        let key = lookup
            .key(&self.limiter, &parts, self.timeout, too_late)
            .await;
        let key = key.or_else(|| self.unkeyed());
        (key, Request::from_parts(parts, body))
    }

    fn unkeyed(&self) -> Option<Key> {
        self.meter.no_key();
        match self.unkeyed {
            Unkeyed::Shared => Some(self.limiter.key("unkeyed")),
            Unkeyed::ExemptFromLimit => {
                self.meter.count(Outcome::Exempt);
                None
            }
        }
    }

    /// Decides if the store answers at once; pending, with nothing charged, if it does not.
    pub(crate) fn decide_now(&self, key: &Key) -> Poll<Verdict> {
        self.limiter
            .check_now(key)
            .map(|answer| self.conclude(key, answer))
    }

    /// Decides once the store answers, or its time is up.
    pub(crate) async fn decide(&self, key: &Key) -> Verdict {
        let check = self.limiter.check_key(key);
        let answer = match tokio::time::timeout(self.timeout, check).await {
            Ok(answer) => answer,
            Err(_) => Err(timed_out()),
        };
        self.conclude(key, answer)
    }

    fn conclude(&self, key: &Key, answer: Result<Decision>) -> Verdict {
        match answer {
            Ok(decision) => {
                self.meter.store_works();
                self.full(&decision);
                let ledger = Ledger::Shared;
                self.told(decision, ledger, Outcome::Allowed, Outcome::Refused)
            }
            Err(error) => {
                self.meter.store_fails(&error);
                self.without_store(key)
            }
        }
    }

    fn without_store(&self, key: &Key) -> Verdict {
        match &self.on_failure {
            OnFailure::Open => {
                self.meter.count(Outcome::FailedOpen);
                Verdict::Pass(None)
            }
            OnFailure::Closed => self.closed(),
            OnFailure::Local(local) => match local.check(&self.limiter, key) {
                Ok(decision) => {
                    self.full(&decision);
                    let ledger = Ledger::Local;
                    self.told(
                        decision,
                        ledger,
                        Outcome::LocalAllowed,
                        Outcome::LocalRefused,
                    )
                }
                Err(_) => self.closed(),
            },
        }
    }

    fn full(&self, decision: &Decision) {
        if decision.is_shared() {
            self.meter.shares_a_quota();
        }
    }

    fn told(
        &self,
        decision: Decision,
        ledger: Ledger,
        allowed: Outcome,
        refused: Outcome,
    ) -> Verdict {
        if decision.is_allowed() {
            self.meter.count(allowed);
            Verdict::Pass(Some(Charge { decision, ledger }))
        } else {
            self.meter.count(refused);
            Verdict::TooMany(decision)
        }
    }

    fn closed(&self) -> Verdict {
        self.meter.count(Outcome::FailedClosed);
        Verdict::Unavailable
    }

    /// The response to a visitor that has used up its quota.
    pub(crate) fn too_many<B>(
        &self,
        decision: Decision,
        dialect: Dialect,
    ) -> Response<ResponseBody<B>> {
        let mut response = self.refusals.too_many(decision, dialect);
        self.tell(&decision, response.headers_mut());
        response
    }

    /// The response where the store does not say.
    pub(crate) fn unavailable<B>(&self, dialect: Dialect) -> Response<ResponseBody<B>> {
        self.refusals.unavailable(dialect)
    }

    /// Tells the visitor about its limit.
    pub(crate) fn tell(&self, decision: &Decision, headers: &mut HeaderMap) {
        match self.headers {
            Headers::None => {}
            Headers::Draft11 => self.fields.append(self.limiter.gcra(), decision, headers),
        }
    }
}

pub(crate) fn timed_out() -> Error {
    Error::new(
        "check a rate limit",
        ErrorKind::MayHaveRun,
        "the store did not answer within the timeout of the layer",
    )
}
