//! Decisions that take some waiting, or several limits.

use http::request::Parts;
use larder_store::{Error, ErrorKind, Key, Result};
use smallvec::smallvec;

use super::decider::Decider;
use super::limit::Limit;
use super::refusal_memory::Asked as AskedAt;
use super::settling::ChargedStore;
use super::verdict::{Held, Passed, Refused, Verdict};
use crate::key::Found;
use crate::metrics::Outcome;
use crate::{Decision, Grant, Limits, Reason, RequestHead};

/// The limit with this index, whom it charges, and how many units.
type Asked = (usize, Key, u32);

impl Decider {
    /// Decides about a request. Each wait ends with the timeout.
    ///
    /// `key` is that of the layer's only limit, if it was found before.
    pub(super) async fn decide(&self, request: &Parts, key: Option<Key>) -> Verdict {
        if let (Some(limit), Some(key)) = (self.simple(), key) {
            let cost = limit.limiter.cost();
            return self.decide_all(vec![(0, key, cost)]).await;
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
                let cost = limit.charged(&key, cost).await;
                let asked = (at, key, cost);
                match limit.is_shadow {
                    false => enforced.push(asked),
                    true => shadows.push(asked),
                }
            }
        }
        let mut verdict = match enforced.is_empty() {
            true => Verdict::Pass(Passed::default()),
            false => self.decide_all(enforced).await,
        };
        for asked in shadows {
            self.shadow(asked, &mut verdict).await;
        }
        verdict
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
            Some(memory) => asked.iter().map(|(_, key, _)| memory.begin(key)).collect(),
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
                for (at, ..) in &asked {
                    self.limits[*at].metrics.health.failed(&error);
                }
                self.give_up(&mut held).await;
                return self.without_store(&asked, &error);
            }
        };
        self.conclude(asked, decisions, held, asked_at)
    }

    fn recall(&self, asked: &[Asked]) -> Option<Refused> {
        let memory = self.memory.as_ref()?;
        let recalled = asked.iter().filter_map(|(limit, key, cost)| {
            let decision = memory.recall(key, *cost)?;
            Some(Refused {
                by: self.limits[*limit].decided(*limit, key, decision),
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

    async fn ask(&self, (at, key, cost): &Asked, held: &mut Held) -> Result<Decision> {
        let limiter = &self.limits[*at].limiter;
        let engine = limiter.engine_of(key).await;
        if self.settle_by.is_some() && engine.has_reservations() {
            return Ok(match limiter.reserve_key(key, *cost).await? {
                Grant::Held(reservation) => {
                    let decision = reservation.decision();
                    held.reservations.push((*at, key.clone(), reservation));
                    decision
                }
                Grant::Refused(decision) => decision,
            });
        }
        if engine.has_concurrency() {
            return Ok(match limiter.acquire_key(key, *cost).await? {
                Grant::Held(permit) => {
                    let decision = permit.decision();
                    held.permits.push(permit);
                    decision
                }
                Grant::Refused(decision) => decision,
            });
        }
        if *cost == limiter.cost() {
            return limiter.check_key(key).await;
        }
        Ok(limiter.report_key(key, *cost).await?.decision())
    }

    /// Asks several limits. Those that hold something come first, because that comes back by itself.
    ///
    /// The decisions are in the order of the limits. None of one that was not asked.
    async fn ask_several(&self, asked: &[Asked], held: &mut Held) -> Result<Vec<Option<Decision>>> {
        let mut decisions = vec![None; asked.len()];
        let mut counted = Vec::new();
        for (place, one) in asked.iter().enumerate() {
            let engine = self.limits[one.0].limiter.engine_of(&one.1).await;
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
            let (at, key, cost) = &asked[*place];
            limits.with_key(&self.limits[*at].limiter, key.clone(), *cost)
        });
        let check = limits.check();
        let together = self.timeout.run("check rate limits", check).await?;
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
        for (place, ((at, key, _), decision)) in asked.iter().zip(&decisions).enumerate() {
            let limit = &self.limits[*at];
            limit.metrics.health.succeeded();
            let Some(decision) = decision.filter(|decision| !decision.is_allowed()) else {
                continue;
            };
            limit.metrics.count(Outcome::Refused);
            if let (Some(memory), Some(asked_at)) = (&self.memory, asked_at.get(place)) {
                // What counts towards a ban must reach the store. The ban itself is remembered.
                let is_counted = decision.reason() != Some(Reason::Ban)
                    && limit.limiter.engine_known(key).bans();
                if !is_counted {
                    memory.remember(key, decision, *asked_at);
                }
            }
            let longest = refused.as_ref().map(|it| it.by.decision.retry_after());
            if longest.is_none_or(|longest| longest < decision.retry_after()) {
                refused = Some(Refused::by(limit.decided(*at, key, decision)));
            }
        }
        if let Some(refused) = refused {
            if let Some(memory) = &self.memory {
                // What is given back may have made another request look refused meanwhile.
                for ((_, key, _), decision) in asked.iter().zip(&decisions) {
                    if decision.is_some_and(|decision| decision.is_allowed()) {
                        memory.forget(key);
                    }
                }
            }
            return self.refuse(refused);
        }
        let mut passed = smallvec![];
        for ((at, key, _), decision) in asked.iter().zip(decisions) {
            let Some(decision) = decision else { continue };
            let decided = self.limits[*at].decided(*at, key, decision);
            self.passed(&decided, Outcome::Allowed);
            passed.push(decided);
            if held.reservations.iter().all(|(of, ..)| of != at) {
                let charge = self.refundable(*at, key, &decision, ChargedStore::Shared);
                held.refundables.extend(charge);
            }
        }
        Verdict::Pass(Passed {
            decisions: passed,
            held: held.boxed(),
        })
    }

    /// Counts what a limit in shadow mode would do.
    ///
    /// Nothing waits for a store that takes a round trip. A permit is held as if the limit were enforced.
    async fn shadow(&self, asked: Asked, verdict: &mut Verdict) {
        let (at, key, cost) = asked;
        let limit = &self.limits[at];
        if limit.limiter.engine_known(&key).has_concurrency() {
            let mut held = Held::default();
            let answer = self.ask_one(&(at, key, cost), &mut held).await;
            Self::shadowed(limit, &answer);
            if let Verdict::Pass(passed) = verdict {
                let permits = &mut passed.held.get_or_insert_default().permits;
                permits.append(&mut held.permits);
            }
            return;
        }
        let programs = &*limit.limiter.programs;
        if let std::task::Poll::Ready(answer) = limit.limiter.check_in(programs, &key, cost) {
            return Self::shadowed(limit, &answer);
        }
        // Without a runtime nobody waits for a store that takes a round trip.
        let runtime = tokio::runtime::Handle::try_current();
        let (Ok(runtime), Ok(place)) = (runtime, limit.shadows.clone().try_acquire_owned()) else {
            let busy = Error::new("check a rate limit", ErrorKind::NotSent, "too many wait");
            return Self::shadowed(limit, &Err(busy));
        };
        let (limit, timeout) = (limit.clone(), self.timeout);
        drop(runtime.spawn(async move {
            let _place = place;
            let check = limit.limiter.report_key(&key, cost);
            let answer = timeout.run("check a rate limit", check).await;
            Self::shadowed(&limit, &answer.map(|report| report.decision()));
        }));
    }
}
