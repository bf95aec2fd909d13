//! Decisions that take some waiting, or several limits.

use std::borrow::Cow;
use std::task::Poll;

use http::request::Parts;
use larder_store::{Error, ErrorKind, Key, Result};
use smallvec::smallvec;
use tokio::sync::oneshot;

use super::decider::Decider;
use super::limit::Limit;
use super::refusal_memory::Asked as AskedAt;
use super::settling::ChargedStore;
use super::verdict::{Asked, Held, Pass, Passed, Refused, Verdict};
use crate::key::Found;
use crate::limiter::Engine;
use crate::metrics::Outcome;
use crate::{Decision, Grant, Limits, Reason, RequestHead};

impl Decider {
    /// Decides about a request. Each wait ends with the timeout.
    ///
    /// `key` is that of the layer's only limit, if it was found before.
    pub(super) async fn decide(&self, request: &Parts, key: Option<Box<Key>>) -> Verdict {
        if let (Some(limit), Some(key)) = (self.simple(), key) {
            let asked = self.asked(0, *key, limit.limiter.cost()).await;
            return self.decide_all(vec![asked]).await;
        }
        let (mut enforced, mut shadows) = (Vec::new(), Vec::new());
        for (at, limit) in self.applying(RequestHead::of_parts(request)) {
            let cost = limit.cost_of(&RequestHead::of_parts(request));
            if cost == 0 {
                limit.metrics.count(Outcome::Exempt);
                continue;
            }
            if limit.limiter.is_unlimited() {
                limit.metrics.count(Outcome::Allowed);
                continue;
            }
            if let Some(key) = self.key(limit, request).await {
                match limit.is_shadow {
                    false => enforced.push(self.asked(at, key, cost).await),
                    true => shadows.push((at, key, cost)),
                }
            }
        }
        let mut verdict = match enforced.is_empty() {
            true => Passed::default().into(),
            false => self.decide_all(enforced).await,
        };
        // What is refused is charged to none, and so to no limit that watches.
        if let Verdict::Pass(Pass::Full(passed)) = &mut verdict {
            for (at, key, cost) in shadows {
                self.shadow(at, key, cost, passed).await;
            }
        }
        verdict
    }

    /// Finds, within the timeout, what the limit with this index is asked about a request of this cost.
    async fn asked(&self, at: usize, key: Key, cost: u32) -> Asked {
        let limit = &self.limits[at];
        let within = self.timeout.limit();
        let engine = limit.limiter.engine_within(&key, within).await;
        let cost = limit.charged(&engine, cost);
        Asked {
            limit: at,
            key,
            engine,
            cost,
        }
    }

    /// Returns the limits that apply to a request, and that no other one replaces.
    fn applying(&self, request: RequestHead<'_>) -> Vec<(usize, &Limit)> {
        let limits = self.limits.iter().map(|limit| &**limit);
        let mut limits: Vec<_> = limits.enumerate().collect();
        limits.retain(|(_, limit)| limit.applies_to(&request));
        // A limit that only watches leaves what is enforced in place.
        let replaces = |other: &Limit, limit: &Limit| {
            !std::ptr::eq(other, limit)
                && (limit.is_shadow || !other.is_shadow)
                && other.replaces(limit)
        };
        let is_replaced = |limit: &Limit| limits.iter().any(|(_, other)| replaces(other, limit));
        let is_kept: Vec<_> = limits
            .iter()
            .map(|(_, limit)| !is_replaced(limit))
            .collect();
        let each = limits.into_iter().zip(is_kept);
        each.filter_map(|(limit, is_kept)| is_kept.then_some(limit))
            .collect()
    }

    /// Waits for the key to charge. None if the request is exempt.
    pub(super) async fn key(&self, limit: &Limit, request: &Parts) -> Option<Key> {
        let found = match limit
            .key_by
            .find(&limit.limiter, RequestHead::of_parts(request))
        {
            Found::Now(key) => key,
            Found::Later(lookup) => {
                let within = self.timeout.limit();
                let timed_out = || limit.metrics.key_timed_out();
                lookup
                    .key(&limit.limiter, request, within, &timed_out)
                    .await
            }
        };
        found.or_else(|| self.unkeyed(limit))
    }

    /// Decides by all limits together: if one refuses, none is charged.
    async fn decide_all(&self, asked: Vec<Asked>) -> Verdict {
        if let Some(refused) = self.recall(&asked) {
            self.limits[refused.by.limit]
                .metrics
                .count(Outcome::Refused);
            return self.refuse(refused);
        }
        let memory = self.memory.as_ref();
        let asked_at: Vec<_> = match memory {
            Some(memory) => asked.iter().map(|it| memory.begin(&it.key)).collect(),
            None => Vec::new(),
        };
        let mut held = Held::default();
        let answer = match &*asked {
            [one] => self.ask_one(one, &mut held).await.map(|it| vec![Some(it)]),
            several => self.ask_several(several, &mut held).await,
        };
        let decisions = match answer {
            Ok(decisions) => decisions,
            Err(error) => {
                for asked in &asked {
                    self.limits[asked.limit].metrics.health.failed(&error);
                }
                self.give_up(&mut held).await;
                return self.without_store(&asked, &error);
            }
        };
        self.conclude(asked, decisions, held, asked_at)
    }

    fn recall(&self, asked: &[Asked]) -> Option<Refused> {
        let memory = self.memory.as_ref()?;
        let recalled = asked.iter().filter_map(|asked| {
            let decision = memory.recall(&asked.key, asked.cost)?;
            let limit = &self.limits[asked.limit];
            Some(Refused {
                by: limit.decided(asked.limit, &asked.engine, decision),
                is_remembered: true,
            })
        });
        recalled.max_by_key(|refused| refused.by.decision.retry_after())
    }

    /// Asks a single limit: in one step it charges, and reserves or takes a permit if it is to.
    async fn ask_one(&self, asked: &Asked, held: &mut Held) -> Result<Decision> {
        let ask = self.ask(asked, held);
        self.timeout.run("check a rate limit", ask).await
    }

    async fn ask(&self, asked: &Asked, held: &mut Held) -> Result<Decision> {
        let Asked {
            key, engine, cost, ..
        } = asked;
        let limiter = &self.limits[asked.limit].limiter;
        if self.settle_by.is_some() && engine.has_reservations() {
            let granted = limiter.reserve_by(engine, key, *cost).await?;
            return Ok(match granted {
                Grant::Held(reservation) => {
                    let decision = reservation.decision();
                    held.reservations
                        .push((asked.limit, key.clone(), reservation));
                    decision
                }
                Grant::Refused(decision) => decision,
            });
        }
        if engine.has_concurrency() {
            let granted = limiter.acquire_by(engine, key, *cost).await?;
            let decision = granted.decision();
            held.permits.extend(granted.held());
            return Ok(decision);
        }
        Ok(limiter.report_by(engine, key, *cost).await?.decision())
    }

    /// Asks several limits. Those that hold something come first, because that comes back by itself.
    ///
    /// The decisions are in the order of the limits. None of one that was not asked.
    async fn ask_several(&self, asked: &[Asked], held: &mut Held) -> Result<Vec<Option<Decision>>> {
        let mut decisions = vec![None; asked.len()];
        let mut counted = Vec::new();
        for (place, one) in asked.iter().enumerate() {
            let engine = &one.engine;
            let is_holding =
                engine.has_concurrency() || (self.settle_by.is_some() && engine.has_reservations());
            if !is_holding {
                counted.push(place);
                continue;
            }
            let decision = self.ask_one(one, held).await?;
            decisions[place] = Some(decision);
            if !decision.is_allowed() {
                self.give_up(held).await;
                return Ok(decisions);
            }
        }
        let limits = counted.iter().fold(Limits::new(), |limits, place| {
            let one = &asked[*place];
            let limiter = &self.limits[one.limit].limiter;
            limits.with_key(limiter, one.key.clone(), one.engine.clone(), one.cost)
        });
        let together = self
            .timeout
            .run("check rate limits", limits.decide())
            .await?;
        for (place, decision) in counted.into_iter().zip(together.in_order()) {
            decisions[place] = decision;
        }
        if !together.is_allowed() {
            self.give_up(held).await;
        }
        Ok(decisions)
    }

    /// Gives back what a request holds that is refused after all.
    async fn give_up(&self, held: &mut Held) {
        let Held {
            reservations,
            permits,
            ..
        } = std::mem::take(held);
        drop(permits);
        for (_, _, reservation) in reservations {
            // A lost one ends with its TTL.
            let _ = self
                .timeout
                .run("settle a rate limit", reservation.cancel())
                .await;
        }
    }

    /// Counts the decisions, and returns what follows.
    fn conclude(
        &self,
        asked: Vec<Asked>,
        decisions: Vec<Option<Decision>>,
        mut held: Held,
        asked_at: Vec<AskedAt>,
    ) -> Verdict {
        let mut refused: Option<Refused> = None;
        for (place, (asked, decision)) in asked.iter().zip(&decisions).enumerate() {
            let limit = &self.limits[asked.limit];
            if decision.is_some() {
                limit.metrics.health.succeeded();
            }
            let Some(decision) = decision.filter(|decision| !decision.is_allowed()) else {
                continue;
            };
            let reason = decision.reason().unwrap_or(Reason::Quota);
            limit.metrics.refusal(&decision, reason);
            if let (Some(memory), Some(asked_at)) = (&self.memory, asked_at.get(place)) {
                // What counts towards a ban must reach the store. The ban itself is remembered.
                let is_counted = decision.reason() != Some(Reason::Ban) && asked.engine.bans();
                if !is_counted {
                    memory.remember(&asked.key, decision, *asked_at);
                }
            }
            let longest = refused.as_ref().map(|it| it.by.decision.retry_after());
            if longest.is_none_or(|longest| longest < decision.retry_after()) {
                let decided = limit.decided(asked.limit, &asked.engine, decision);
                refused = Some(Refused::by(decided));
            }
        }
        if let Some(refused) = refused {
            if let Some(memory) = &self.memory {
                // What is given back may have made another request look refused meanwhile.
                for (asked, decision) in asked.iter().zip(&decisions) {
                    if decision.is_some_and(|decision| decision.is_allowed()) {
                        memory.forget(&asked.key);
                    }
                }
            }
            return Verdict::Refuse(Box::new(refused));
        }
        let mut passed = smallvec![];
        for (asked, decision) in asked.iter().zip(decisions) {
            let Some(decision) = decision else { continue };
            let (at, key, engine) = (asked.limit, &asked.key, &asked.engine);
            let decided = self.limits[at].decided(at, engine, decision);
            self.passed(&decided, Outcome::Allowed);
            passed.push(decided);
            if held.reservations.iter().all(|(of, ..)| *of != at) {
                let store = ChargedStore::Shared;
                let charge = self.refundable(at, key, engine, &decision, store);
                held.refundables.extend(charge);
            }
        }
        let (decisions, held) = (passed, held.boxed());
        Passed { decisions, held }.into()
    }

    /// Counts what a limit in shadow mode would do.
    ///
    /// Nothing waits for a store that takes a round trip, nor for a plan that is still to be found. A permit is
    /// held as if the limit were enforced, unless it took such a wait.
    async fn shadow(&self, at: usize, key: Key, cost: u32, passed: &mut Passed) {
        let limit = &self.limits[at];
        let limiter = &limit.limiter;
        let engine = limiter.engine_now(&key).map(Cow::into_owned);
        if let Some(engine) = &engine {
            let cost = limit.charged(engine, cost);
            if engine.has_concurrency() {
                let asked = Asked {
                    limit: at,
                    key,
                    engine: engine.clone(),
                    cost,
                };
                let mut held = Held::default();
                let answer = self.ask_one(&asked, &mut held).await;
                Self::shadowed(limit, &answer);
                self.keep_shadow(at, &asked.key, engine, answer, passed);
                let permits = &mut passed.held.get_or_insert_default().permits;
                permits.append(&mut held.permits);
                return;
            }
            let answer = limiter.check_by(engine, &*limiter.programs, &key, cost);
            if let Poll::Ready(answer) = answer {
                Self::shadowed(limit, &answer);
                return self.keep_shadow(at, &key, engine, answer, passed);
            }
        }
        // Without a runtime nobody waits for a store that takes a round trip.
        let runtime = tokio::runtime::Handle::try_current();
        let (Ok(runtime), Ok(place)) = (runtime, limit.shadows.clone().try_acquire_owned()) else {
            let busy = Error::new("check a rate limit", ErrorKind::NotSent, "too many wait");
            return Self::shadowed(limit, &Err(busy));
        };
        let (limit, timeout) = (limit.clone(), self.timeout);
        let (gives_back, given_back) = oneshot::channel();
        if self.refund_if.is_some() {
            passed.held.get_or_insert_default().shadows.push(gives_back);
        }
        drop(runtime.spawn(async move {
            let limiter = &limit.limiter;
            let engine = match engine {
                Some(engine) => engine,
                None => limiter.engine_within(&key, timeout.limit()).await,
            };
            let cost = limit.charged(&engine, cost);
            let acquire = limiter.acquire_by(&engine, &key, cost);
            let granted = timeout.run("check a rate limit", acquire).await;
            let answer = granted.map(|granted| granted.decision());
            Self::shadowed(&limit, &answer);
            drop(place);
            if let Ok(decision) = answer
                && let Some(back) = limiter.give_back(&key, &engine, &decision)
                && given_back.await.is_ok()
            {
                let key = limiter.charged(key, &decision);
                let refund = limiter.refund_key(&key, &back);
                match timeout.run("refund a rate limit", refund).await {
                    Ok(_) => limit.metrics.refunded(),
                    Err(_) => limit.metrics.refund_lost(),
                }
            }
        }));
    }

    /// Keeps what a limit in shadow mode has charged, in case the response gives it back.
    fn keep_shadow(
        &self,
        at: usize,
        key: &Key,
        engine: &Engine,
        answer: Result<Decision>,
        passed: &mut Passed,
    ) {
        let charge = answer
            .ok()
            .and_then(|decision| self.refundable(at, key, engine, &decision, ChargedStore::Shared));
        if let Some(charge) = charge {
            passed.held.get_or_insert_default().refundables.push(charge);
        }
    }
}
