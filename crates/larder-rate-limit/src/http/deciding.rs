//! Decisions that take some waiting, or several limits.

use http::request::Parts;
use larder_store::{Key, Result};
use smallvec::smallvec;

use super::decider::Decider;
use super::limit::Limit;
use super::refusal_memory::Asked as AskedAt;
use super::settling::ChargedStore;
use super::verdict::{Held, Passed, Refused, Verdict};
use crate::key::Found;
use crate::metrics::Outcome;
use crate::{Decision, Grant, Limits, RequestHead};

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
            self.limits[refused.limit].metrics.count(Outcome::Refused);
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
                limit: *limit,
                decision,
                is_remembered: true,
            })
        });
        recalled.max_by_key(|refused| refused.decision.retry_after())
    }

    /// Asks a single limit: in one step it charges, and reserves or takes a permit if it is to.
    async fn ask_one(&self, asked: &Asked, held: &mut Held) -> Result<Decision> {
        let (at, key, cost) = asked;
        let limiter = &self.limits[*at].limiter;
        let timeout = &self.timeout;
        if self.settle_by.is_some() && limiter.has_reservations() {
            let reserve = limiter.reserve_key(key, *cost);
            return Ok(
                match timeout
                    .run("reserve units of a rate limit", reserve)
                    .await?
                {
                    Grant::Held(reservation) => {
                        let decision = reservation.decision();
                        held.reservations.push((*at, key.clone(), reservation));
                        decision
                    }
                    Grant::Refused(decision) => decision,
                },
            );
        }
        if limiter.has_concurrency() {
            let acquire = limiter.acquire_key(key, *cost);
            return Ok(match timeout.run("check a rate limit", acquire).await? {
                Grant::Held(permit) => {
                    let decision = permit.decision();
                    held.permits.push(permit);
                    decision
                }
                Grant::Refused(decision) => decision,
            });
        }
        if *cost == limiter.cost() {
            return timeout
                .run("check a rate limit", limiter.check_key(key))
                .await;
        }
        let check = limiter.report_key(key, *cost);
        Ok(timeout.run("check a rate limit", check).await?.decision())
    }

    /// Asks several limits. Those that hold something come first, because that comes back by itself.
    ///
    /// The decisions are in the order of the limits. None of one that was not asked.
    async fn ask_several(&self, asked: &[Asked], held: &mut Held) -> Result<Vec<Option<Decision>>> {
        let mut decisions = vec![None; asked.len()];
        let is_holding = |(at, ..): &Asked| {
            let limiter = &self.limits[*at].limiter;
            limiter.has_concurrency() || (self.settle_by.is_some() && limiter.has_reservations())
        };
        let mut counted = Vec::new();
        for (place, one) in asked.iter().enumerate() {
            if !is_holding(one) {
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
                memory.remember(key, decision, *asked_at);
            }
            let waits_longest =
                refused.is_none_or(|it| it.decision.retry_after() < decision.retry_after());
            if waits_longest {
                refused = Some(Refused::by(*at, decision));
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
            self.passed(&self.limits[*at], &decision, Outcome::Allowed);
            passed.push((*at, decision));
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
        if limit.limiter.has_concurrency() {
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
        let (limit, timeout) = (limit.clone(), self.timeout);
        // Without a runtime nobody waits for a store that takes a round trip.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let check = limit.limiter.report_key(&key, cost);
                let answer = timeout.run("check a rate limit", check).await;
                Self::shadowed(&limit, &answer.map(|report| report.decision()));
            });
        }
    }
}
