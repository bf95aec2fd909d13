//! The settings of a layer, and how it decides about requests.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Response};
use larder_layer::StoreTimeout;
use larder_layer::http::ResponseBody;
use larder_store::{Error, Key, Result};

use super::access_lists::{AccessLists, Listed};
use super::conditions::{RefundIf, RequestCondition, SettleBy};
use super::idle_settings::Checked;
use super::limit::Limit;
use super::refusal_memory::RefusalMemory;
use super::response::{Protocol, Style};
use super::settling::{ChargedStore, Refundable};
use super::verdict::{Asked, AtOnce, Decided, Held, Pass, Passed, Refused, Verdict};
use crate::headers::{Headers, Left};
use crate::key::Found;
use crate::limiter::{DEFAULT_TIMEOUT, Engine};
use crate::metrics::{Outcome, Shadow};
use crate::{Decision, FailMode, RateLimiter, Reason, RequestHead};

/// How a layer treats a request without a key, for example without a peer address or the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unkeyed {
    /// Charges all such requests together, as one visitor. The default, so that no client evades its limit by
    /// leaving something out of a request.
    #[default]
    Shared,
    /// Lets the request pass, uncounted.
    ExemptFromLimit,
}

/// The settings of a layer.
#[derive(Clone, Debug)]
pub(super) struct Decider {
    pub(super) limits: Vec<Arc<Limit>>,
    pub(super) fail_mode: FailMode,
    pub(super) unkeyed: Unkeyed,
    pub(super) timeout: StoreTimeout,
    pub(super) headers: Headers,
    pub(super) jitter: Duration,
    pub(super) exempt_if: Option<RequestCondition>,
    pub(super) refund_if: Option<RefundIf>,
    pub(super) settle_by: Option<SettleBy>,
    pub(super) lists: Option<AccessLists>,
    pub(super) memory: Option<RefusalMemory>,
    pub(super) checked: Checked,
}

impl Decider {
    pub(super) fn new(limit: Limit) -> Self {
        Self {
            timeout: StoreTimeout::new(DEFAULT_TIMEOUT, limit.limiter.store_deadline()),
            limits: vec![Arc::new(limit)],
            fail_mode: FailMode::default(),
            unkeyed: Unkeyed::default(),
            headers: Headers::default(),
            jitter: Duration::ZERO,
            exempt_if: None,
            refund_if: None,
            settle_by: None,
            lists: None,
            memory: None,
            checked: Checked::default(),
        }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        // A separate deadline is used only if every store has one.
        let deadlines = self
            .limits
            .iter()
            .map(|limit| limit.limiter.store_deadline());
        let longest = deadlines
            .collect::<Option<Vec<_>>>()
            .into_iter()
            .flatten()
            .max();
        self.timeout = StoreTimeout::new(timeout, longest);
    }

    /// Returns the verdict if it does not depend on the visitor. None if it does.
    #[inline]
    pub(super) fn known(&self, request: &RequestHead<'_>) -> Option<Verdict> {
        if let Some(lists) = &self.lists {
            match lists.find(*request) {
                Some(Listed::Allowed) => return Some(self.exempt()),
                Some(Listed::Denied) => {
                    self.limits[0].metrics.count(Outcome::Refused);
                    let denied = Refused::without_decision(0, Reason::Denied, Duration::ZERO);
                    return Some(self.refuse(denied));
                }
                None => {}
            }
        }
        let exempt_if = self.exempt_if.as_ref();
        if exempt_if.is_some_and(|it| it.holds(request)) {
            return Some(self.exempt());
        }
        None
    }

    fn exempt(&self) -> Verdict {
        self.limits[0].metrics.count(Outcome::Exempt);
        Verdict::Pass(Pass::Nothing)
    }

    /// Returns the one limit of the layer, if a request may be decided without waiting.
    pub(super) fn simple(&self) -> Option<&Limit> {
        match &*self.limits {
            [limit] if self.memory.is_none() && self.settle_by.is_none() && limit.is_simple() => {
                Some(&**limit)
            }
            _ => None,
        }
    }

    /// Returns the key to charge if none was found in a request. None if such a request is exempt.
    pub(super) fn unkeyed(&self, limit: &Limit) -> Option<Key> {
        limit.metrics.unkeyed(limit.key_by.needs_address());
        match self.unkeyed {
            Unkeyed::Shared => Some(limit.unkeyed()),
            Unkeyed::ExemptFromLimit => {
                limit.metrics.count(Outcome::Exempt);
                None
            }
        }
    }

    /// Returns whether a function of the app needs the whole head of a request for the decision.
    #[inline]
    pub(super) fn needs_parts(&self) -> bool {
        self.simple().is_some_and(|limit| limit.needs_parts)
    }

    /// Decides about a request, as far as possible without waiting.
    ///
    /// It is one function, in which a key and a decision are not moved: they are large.
    pub(super) fn decide_at_once(&self, request: &RequestHead<'_>) -> AtOnce {
        if let Some(verdict) = self.known(request) {
            return AtOnce::Decided(verdict);
        }
        let Some(limit) = self.simple() else {
            return AtOnce::Waits(None);
        };
        match limit.key_by.find(&limit.limiter, *request) {
            Found::Now(Some(key)) => self.charge_at_once(limit, &key),
            Found::Now(None) => match self.unkeyed(limit) {
                Some(key) => self.charge_at_once(limit, &key),
                None => AtOnce::Decided(Verdict::Pass(Pass::Nothing)),
            },
            Found::Later(_) => AtOnce::Waits(None),
        }
    }

    /// Charges the visitor with `key`, if the store answers at once.
    #[inline]
    fn charge_at_once(&self, limit: &Limit, key: &Key) -> AtOnce {
        let limiter = &limit.limiter;
        let Some(engine) = limiter.engine_now(key) else {
            return AtOnce::Waits(Some(Box::new(key.clone())));
        };
        let answer = limiter.check_by(&engine, &*limiter.programs, key, limiter.cost());
        AtOnce::Decided(match answer {
            Poll::Pending => return AtOnce::Waits(Some(Box::new(key.clone()))),
            Poll::Ready(Ok(decision)) => {
                limit.metrics.health.succeeded();
                match self.pass_briefly(limit, &decision) {
                    Some(pass) => Verdict::Pass(pass),
                    None => self.decided(key, &engine, decision),
                }
            }
            Poll::Ready(Err(error)) => {
                limit.metrics.failed(&error);
                let asked = Asked {
                    limit: 0,
                    key: key.clone(),
                    engine: engine.into_owned(),
                    cost: limiter.cost(),
                };
                self.without_store(&[asked], &error)
            }
        })
    }

    /// Counts a request that the only limit lets pass, if all that is left to do later is to add fields.
    #[inline]
    fn pass_briefly(&self, limit: &Limit, decision: &Decision) -> Option<Pass> {
        let fields = limit.kept_fields()?;
        if !decision.is_allowed() || self.refund_if.is_some() || limit.limiter.has_plans() {
            return None;
        }
        let pass = match self.headers {
            Headers::None | Headers::RetryAfter => Pass::Nothing,
            Headers::Draft11 => {
                let more = limit.limiter.until_more(decision);
                Pass::Fields(fields, Left::after(decision, more))
            }
            Headers::Legacy(_) => return None,
        };
        let is_near = limit.limiter.is_near_limit(decision);
        limit.metrics.passed(Outcome::Allowed, decision, is_near);
        Some(pass)
    }

    /// Counts the decision of a single limit, and returns the verdict.
    fn decided(&self, key: &Key, engine: &Engine, decision: Decision) -> Verdict {
        let limit = &self.limits[0];
        let decided = limit.decided(0, engine, decision);
        if !decision.is_allowed() {
            limit.metrics.count(Outcome::Refused);
            return self.refuse(Refused::by(decided));
        }
        self.passed(&decided, &limit.limiter, Outcome::Allowed);
        let held = self.refundable(0, key, engine, &decision, ChargedStore::Shared);
        let held = held.and_then(|charge| {
            let refundables = vec![charge];
            Held {
                refundables,
                ..Held::default()
            }
            .boxed()
        });
        Passed {
            decisions: [decided].into(),
            held,
        }
        .into()
    }

    /// Counts a request that a limit lets pass, by the decision of this limiter.
    #[inline]
    pub(super) fn passed(&self, decided: &Decided, limiter: &RateLimiter, outcome: Outcome) {
        let is_near = limiter.is_near_limit(&decided.decision);
        let metrics = &self.limits[decided.limit].metrics;
        metrics.passed(outcome, &decided.decision, is_near);
    }

    /// Counts a refusal by its reason.
    pub(super) fn refuse(&self, refused: Refused) -> Verdict {
        let Decided {
            limit, decision, ..
        } = &refused.by;
        let metrics = &self.limits[*limit].metrics;
        let reason = match refused.is_remembered {
            true => Some(Reason::Remembered),
            false => decision.reason(),
        };
        metrics.refused(decision, reason.unwrap_or(Reason::Quota));
        Verdict::Refuse(Box::new(refused))
    }

    /// Forgets what is remembered of a visitor who may have been charged, or got something back.
    pub(super) fn forget(&self, visitor: &Key) {
        if let Some(memory) = &self.memory {
            memory.forget(visitor);
        }
    }

    /// Counts what a limit in shadow mode would have done. Its visitor is charged unless it refuses.
    pub(super) fn shadowed(&self, limit: &Limit, visitor: &Key, answer: Result<&Decision, &Error>) {
        if answer.map_or(true, Decision::is_allowed) {
            self.forget(visitor);
        }
        limit.metrics.shadow(match answer {
            Ok(decision) if decision.is_allowed() => Shadow::Allowed,
            Ok(_) => Shadow::Refused,
            Err(_) => Shadow::Failed,
        });
    }

    /// Returns what may be refunded for a request that passes, if the layer refunds anything.
    pub(super) fn refundable(
        &self,
        at: usize,
        key: &Key,
        engine: &Engine,
        decision: &Decision,
        store: ChargedStore,
    ) -> Option<Refundable> {
        self.refund_if.as_ref()?;
        let limiter = self.limits[at].counting_in(store);
        decision.is_charged().then(|| Refundable {
            limit: at,
            visitor: key.clone(),
            charged: limiter.charged(key.clone(), decision),
            engine: engine.clone(),
            decision: *decision,
            store,
        })
    }

    /// Keeps the charge of a request that passes, if the layer may refund it. A reservation is settled instead.
    pub(super) fn keep_refundable(
        &self,
        asked: &Asked,
        decision: &Decision,
        store: ChargedStore,
        held: &mut Held,
    ) {
        if held.reservations.iter().all(|(of, ..)| *of != asked.limit) {
            let Asked {
                limit, key, engine, ..
            } = asked;
            let charge = self.refundable(*limit, key, engine, decision, store);
            held.refundables.extend(charge);
        }
    }

    /// Returns the response to a refused request.
    pub(super) fn refusal<B>(
        &self,
        refused: Refused,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let Refused { by, is_remembered } = refused;
        let decision = by.decision;
        let style = Style {
            protocol,
            has_retry_after: self.headers != Headers::None,
            jitter: self.jitter,
        };
        let mut response = self.limits[by.limit].refusals.response(decision, style);
        if is_remembered {
            let remembered = Decision {
                reason: Some(Reason::Remembered),
                ..decision
            };
            response.extensions_mut().insert(remembered);
        }
        if !matches!(
            decision.reason(),
            Some(Reason::Denied | Reason::StoreFailed)
        ) {
            self.add_headers(&[by], response.headers_mut());
        }
        response
    }

    /// Adds the header fields that describe the limits.
    pub(super) fn add_headers(&self, decisions: &[Decided], headers: &mut HeaderMap) {
        for decided in decisions {
            let limit = &self.limits[decided.limit];
            let (fields, decision) = (limit.fields(decided), &decided.decision);
            match self.headers {
                Headers::None | Headers::RetryAfter => {}
                Headers::Draft11 => {
                    let more = limit.limiter.until_more(decision);
                    fields.append(Left::after(decision, more), headers);
                }
                Headers::Legacy(reset) => fields.set_legacy(reset, decision, headers),
            }
        }
    }
}
