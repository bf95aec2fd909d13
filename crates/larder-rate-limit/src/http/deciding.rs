//! Decisions that need waiting, or involve several limits.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join_all;
use http::request::Parts;
use larder_store::{Error, ErrorKind, Key, Result};
use smallvec::smallvec;
use tokio::sync::oneshot;

use super::decider::Decider;
use super::limit::Limit;
use super::refusal_memory::Asked as AskedAt;
use super::settling::ChargedStore;
use super::verdict::{Asked, Decisions, Held, Pass, Passed, Refused, Verdict};
use crate::hold::Takes;
use crate::key::Found;
use crate::limiter::Engine;
use crate::metrics::Outcome;
use crate::{Decision, Limits, Reason, RequestHead};

/// The visitor that a limit charges for a request, and how much.
enum Charged {
    Enforced(Asked),
    Shadow(usize, Key, u32),
}

impl Decider {
    /// Decides about a request. Each wait ends with the timeout.
    ///
    /// `key` is the key of the layer's only limit, if it was found before.
    pub(super) async fn decide(
        self: &Arc<Self>,
        request: &Parts,
        key: Option<Box<Key>>,
    ) -> Verdict {
        if let (Some(limit), Some(key)) = (self.simple(), key) {
            let asked = self.asked(0, *key, limit.limiter.cost()).await;
            return self.decide_all(vec![asked]).await;
        }
        let (mut enforced, mut shadows) = (Vec::new(), Vec::new());
        let applying = self.applying(RequestHead::of_parts(request)).into_iter();
        // Concurrently, so that several lookups that do not answer take no longer than one.
        let keys = applying.map(|(at, limit)| self.charged(at, limit, request));
        for charged in join_all(keys).await.into_iter().flatten() {
            match charged {
                Charged::Enforced(asked) => enforced.push(asked),
                Charged::Shadow(at, key, cost) => shadows.push((at, key, cost)),
            }
        }
        let mut verdict = match enforced.is_empty() {
            true => Passed::default().into(),
            false => self.decide_all(enforced).await,
        };
        // A refused request is charged to no limit, and so not to one in shadow mode either.
        if let Verdict::Pass(Pass::Full(passed)) = &mut verdict {
            let shadows = shadows.into_iter();
            let shadows = shadows.map(|(at, key, cost)| self.shadow(at, key, cost));
            for held in join_all(shadows).await {
                passed.hold(held);
            }
        }
        verdict
    }

    /// Finds the visitor that a limit charges for a request, and how much. None if it charges nobody.
    async fn charged(&self, at: usize, limit: &Limit, request: &Parts) -> Option<Charged> {
        let cost = limit.cost_of(&RequestHead::of_parts(request));
        if cost == 0 {
            limit.metrics.count(Outcome::Exempt);
            return None;
        }
        if limit.limiter.is_unlimited() {
            limit.metrics.count(Outcome::Allowed);
            return None;
        }
        let key = self.key(limit, request).await?;
        Some(match limit.is_shadow {
            false => Charged::Enforced(self.asked(at, key, cost).await),
            true => Charged::Shadow(at, key, cost),
        })
    }

    /// Finds, within the timeout, what to ask the limit with this index about a request of this cost.
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

    /// Returns the limits that apply to a request, and that no other limit replaces.
    fn applying(&self, request: RequestHead<'_>) -> Vec<(usize, &Limit)> {
        let limits = self.limits.iter().map(|limit| &**limit);
        let mut limits: Vec<_> = limits.enumerate().collect();
        limits.retain(|(_, limit)| limit.applies_to(&request));
        // A limit in shadow mode does not replace one that is enforced.
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
                let is_mistake = error.kind() == ErrorKind::Invalid;
                for asked in &asked {
                    self.forget(&asked.key);
                    if !is_mistake || asked.cost > asked.engine.max_cost() {
                        self.limits[asked.limit].metrics.failed(&error);
                    }
                }
                return self.without_store(&asked, &error);
            }
        };
        self.conclude(asked, decisions, held, asked_at)
    }

    /// Returns the refusal of a request, if it is remembered of each limit what it says, and one surely refuses.
    ///
    /// A limit of which nothing is remembered might make the client wait longer, or count a refusal towards a ban.
    fn recall(&self, asked: &[Asked]) -> Option<Refused> {
        let memory = self.memory.as_ref()?;
        let (mut longest, mut is_sure) = (None::<(&Asked, Decision)>, false);
        for asked in asked {
            let decision = memory.recall(&asked.key, asked.cost)?;
            is_sure |= decision.is_lasting_refusal();
            let is_longer = longest.is_none_or(|(_, it)| it.retry_after() < decision.retry_after());
            if !decision.is_allowed() && is_longer {
                longest = Some((asked, decision));
            }
        }
        let (asked, decision) = longest.filter(|_| is_sure)?;
        let limit = &self.limits[asked.limit];
        Some(Refused {
            by: limit.decided(asked.limit, &asked.engine, decision),
            is_remembered: true,
        })
    }

    /// Asks a single limit: one step charges and, if needed, reserves or takes a permit.
    async fn ask_one(&self, asked: &Asked, held: &mut Held) -> Result<Decision> {
        let Asked {
            limit,
            key,
            engine,
            cost,
        } = asked;
        let takes = self.takes(engine);
        let take = self.limits[*limit].limiter.take(engine, key, *cost, takes);
        let (decision, hold) = self.timeout.run("check a rate limit", take).await?;
        held.keep(asked, takes, decision, hold);
        Ok(decision)
    }

    /// Returns what a request takes from a limit in addition to its charge.
    pub(super) fn takes(&self, engine: &Engine) -> Takes {
        if self.settle_by.is_some() && engine.has_reservations() {
            Takes::Reservation
        } else if engine.has_concurrency() {
            Takes::Permit
        } else {
            Takes::Nothing
        }
    }

    /// Asks several limits together. If one refuses, the charges and holds of the others are given back.
    ///
    /// The decisions are in the order of the limits, None for a limit whose store failed though another one refuses.
    async fn ask_several(&self, asked: &[Asked], held: &mut Held) -> Result<Vec<Option<Decision>>> {
        let limits = asked.iter().fold(Limits::new(), |limits, one| {
            let limiter = &self.limits[one.limit].limiter;
            let takes = self.takes(&one.engine);
            limits.with_key(
                limiter,
                one.key.clone(),
                one.engine.clone(),
                one.cost,
                takes,
            )
        });
        let (together, taken) = limits.decide(Some(self.timeout)).await?;
        let decisions: Vec<_> = together.in_order().collect();
        for ((one, decision), taken) in asked.iter().zip(&decisions).zip(taken) {
            match (taken, decision) {
                (Err(error), _) => self.limits[one.limit].metrics.failed(&error),
                (Ok(hold), Some(decision)) if together.is_allowed() => {
                    held.keep(one, self.takes(&one.engine), *decision, hold);
                }
                (Ok(_), _) => {}
            }
        }
        Ok(decisions)
    }

    /// Counts the decisions, and returns the verdict.
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
                // A refusal that counts towards a ban must reach the store. The ban itself is remembered.
                let is_counted = decision.reason() != Some(Reason::Ban) && asked.engine.bans();
                match is_counted {
                    true => memory.forget(&asked.key),
                    false => memory.remember(&asked.key, decision, *asked_at),
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
                for ((asked, decision), asked_at) in asked.iter().zip(&decisions).zip(asked_at) {
                    match decision {
                        Some(decision) if decision.is_allowed() => {
                            let wait = refused.by.decision.retry_after();
                            memory.passes(&asked.key, *decision, wait, asked_at);
                        }
                        Some(_) => {}
                        None => memory.forget(&asked.key),
                    }
                }
            }
            return Verdict::Refuse(Box::new(refused));
        }
        let mut passed = smallvec![];
        for (asked, decision) in asked.iter().zip(decisions) {
            let Some(decision) = decision else { continue };
            let limit = &self.limits[asked.limit];
            let decided = limit.decided(asked.limit, &asked.engine, decision);
            self.passed(&decided, &limit.limiter, Outcome::Allowed);
            self.forget(&asked.key);
            passed.push(decided);
            self.keep_refundable(asked, &decision, ChargedStore::Shared, &mut held);
        }
        let (decisions, held) = (passed, held.boxed());
        Passed { decisions, held }.into()
    }

    /// Counts what a limit in shadow mode would do, and returns what it holds.
    ///
    /// No request waits for a store that takes a round trip, or for a plan that must still be found. A permit
    /// is held as if the limit were enforced, unless that took such a wait.
    async fn shadow(self: &Arc<Self>, at: usize, key: Key, cost: u32) -> Held {
        let mut held = Held::default();
        let limit = &self.limits[at];
        let limiter = &limit.limiter;
        let engine = limiter.engine_now(&key).map(Cow::into_owned);
        if let Some(engine) = &engine {
            let cost = limit.charged(engine, cost);
            let takes = self.takes(engine);
            let mut answer = limiter.take_now(engine, &key, cost, takes);
            if answer.is_pending() && takes == Takes::Permit {
                let take = limiter.take(engine, &key, cost, takes);
                answer = Poll::Ready(self.timeout.run("check a rate limit", take).await);
            }
            if let Poll::Ready(answer) = answer {
                self.shadowed(limit, &key, answer.as_ref().map(|(decision, _)| decision));
                if let Ok((decision, hold)) = answer {
                    let asked = Asked {
                        limit: at,
                        key,
                        engine: engine.clone(),
                        cost,
                    };
                    held.keep(&asked, takes, decision, hold);
                    self.keep_refundable(&asked, &decision, ChargedStore::Shared, &mut held);
                }
                return held;
            }
        }
        // Without a runtime, nothing can wait for a store that takes a round trip.
        let runtime = tokio::runtime::Handle::try_current();
        let (Ok(runtime), Ok(place)) = (runtime, limit.shadows.clone().try_acquire_owned()) else {
            let busy = Error::new(
                "check a rate limit",
                ErrorKind::NotSent,
                "too many background checks are running",
            );
            self.shadowed(limit, &key, Err(&busy));
            return held;
        };
        let (response, outcome) = oneshot::channel();
        if self.refund_if.is_some() || self.settle_by.is_some() {
            held.shadows.push(response);
        }
        let decider = self.clone();
        drop(runtime.spawn(async move {
            let (limit, timeout) = (&decider.limits[at], decider.timeout);
            let limiter = &limit.limiter;
            let engine = match engine {
                Some(engine) => engine,
                None => limiter.engine_within(&key, timeout.limit()).await,
            };
            let cost = limit.charged(&engine, cost);
            let takes = decider.takes(&engine);
            let take = limiter.take(&engine, &key, cost, takes);
            let answer = timeout.run("check a rate limit", take).await;
            decider.shadowed(limit, &key, answer.as_ref().map(|(decision, _)| decision));
            drop(place);
            let Ok((decision, hold)) = answer else {
                return;
            };
            let asked = Asked {
                limit: at,
                key,
                engine,
                cost,
            };
            let mut held = Held::default();
            held.keep(&asked, takes, decision, hold);
            held.permits.clear();
            decider.keep_refundable(&asked, &decision, ChargedStore::Shared, &mut held);
            if let Ok(outcome) = outcome.await {
                decider
                    .settle(&mut held, outcome, &mut Decisions::new())
                    .await;
            }
        }));
        held
    }
}
