//! The policy of a visitor: one or more rules on one record.

use std::num::NonZeroU32;
use std::time::Duration;

use larder_store::Result;

use crate::Quota;
use crate::quota::invalid;
use crate::rule::{Algorithm, MAX_PERIOD_US, Rule};

/// What a visitor may do: rules that apply together, and the consequences of breaking them.
///
/// A request passes if it passes each rule, and only then is it charged, to all of them. All rules of a policy
/// are on one record, so a check takes one round trip however many rules there are. For limits of different
/// visitors, such as an address and an account, see [`Limits`](crate::Limits).
///
/// A single quota, as in `RateLimiter::new(store, "pages", Quota::per_minute(100))`, is the cheapest policy:
/// its record is one number.
///
/// ```
/// use std::time::Duration;
/// use larder_rate_limit::{Ban, Policy, Quota, Rule};
///
/// let codes = Policy::new(Quota::per_minute(1))
///     .and(Rule::sliding_log(5, Duration::from_secs(3_600)))
///     .and(Quota::per_day(10))
///     // A visitor who is refused 20 times within an hour is banned for a day.
///     .with_ban(Ban::after(20, Duration::from_secs(3_600), Duration::from_secs(86_400)));
/// # let _ = codes;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) ban: Option<Ban>,
    pub(crate) reservations: Option<Duration>,
    pub(crate) quota_change: Option<QuotaChange>,
}

/// A ban after a number of refusals within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    pub(crate) refusals: u32,
    pub(crate) within: Duration,
    pub(crate) lasts: Duration,
}

impl Ban {
    /// Bans a visitor for `lasts`, once it was refused `refusals` times `within` a time.
    ///
    /// The time begins with the first of these refusals. A request during the ban is refused and neither counted
    /// nor charged, so it does not prolong the ban.
    pub const fn after(refusals: u32, within: Duration, lasts: Duration) -> Self {
        Self {
            refusals,
            within,
            lasts,
        }
    }
}

/// What happens to the used units when the numbers of a rule change.
///
/// Rules are identified by their place in the policy. If the algorithm at a place changes, the rule counts from zero,
/// so add new rules at the end.
///
/// A sliding log keeps its entries and a concurrency rule its permits, unless it is [`Reset`](Self::Reset). For a
/// window or a log only the limit matters: if just the period changes, the used units stay until the shorter of the
/// two periods is over. A sliding window with a shorter period may forget them at once.
///
/// The change is made by each request that passes and finds other numbers, and by GCRA and token buckets even if the
/// request is then refused. While processes with different numbers run side by side, as during a deployment, a visitor
/// who reaches both is limited as follows, if both have the same `QuotaChange`:
///
/// - Windows and logs with the same period let no more pass than the larger limit, and those with different periods
///   up to that in each of the shorter ones. If at least twice its limit is counted, a version charges nothing more when
///   it settles a reservation.
/// - GCRA and token buckets count, under [`AsIs`](Self::AsIs), at most twice their own burst of what the others have
///   counted; a policy that is just a [`Quota`], at most its own burst. The larger one lets as much more pass as that
///   cuts, so a larger difference does not limit the visitor.
/// - Under [`Reset`](Self::Reset) the used units are forgotten at each turn, so the visitor is not limited.
///
/// Two versions with different ones may limit nobody. Set
/// [`with_quota_change`](Policy::with_quota_change) in a deployment before the one that changes the numbers, and give all
/// plans of a limiter the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaChange {
    /// The number of used units stays: 30 of 100 become 30 of 200. The default.
    #[default]
    AsIs,
    /// The used share stays: 30 of 100 become 60 of 200. Windows count whole units: rounded up for a smaller limit,
    /// and down for a larger one.
    Proportional,
    /// No units are used any more.
    Reset,
}

impl Policy {
    /// The maximum number of rules of a policy: 8.
    pub const MAX_RULES: usize = 8;

    /// The maximum number of open reservations of one visitor: 1,000.
    pub const MAX_RESERVATIONS: u32 = Rule::MAX_CONCURRENCY;

    /// Makes a policy of one rule.
    pub fn new(rule: impl Into<Rule>) -> Self {
        Self {
            rules: vec![rule.into()],
            ..Self::unlimited()
        }
    }

    /// Makes a policy without rules, which lets everything pass and never calls the store.
    pub const fn unlimited() -> Self {
        Self {
            rules: Vec::new(),
            ban: None,
            reservations: None,
            quota_change: None,
        }
    }

    /// Adds a rule, which a request must also pass.
    #[must_use]
    pub fn and(mut self, rule: impl Into<Rule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Bans visitors that are refused too often. By default nobody is banned except by
    /// [`RateLimiter::ban`](crate::RateLimiter::ban).
    ///
    /// Each refusal then writes to the store. If it is added to a policy that was just a [`Quota`], the counts start from
    /// zero once.
    #[must_use]
    pub const fn with_ban(mut self, ban: Ban) -> Self {
        self.ban = Some(ban);
        self
    }

    /// Allows [reservations](crate::RateLimiter::reserve), each of which is kept for `ttl` unless it is settled.
    ///
    /// By default there are none. A policy with reservations cannot have a [concurrency rule](Rule::concurrency).
    /// If they are added to a policy that was just a [`Quota`], the counts start from zero once.
    #[must_use]
    pub const fn with_reservations(mut self, ttl: Duration) -> Self {
        self.reservations = Some(ttl);
        self
    }

    /// Sets what happens to the used units when the numbers of a rule change.
    ///
    /// The default is [`QuotaChange::AsIs`]. A policy that is just a [`Quota`] keeps the time in which its used
    /// units come back, and never more than the new burst.
    #[must_use]
    pub const fn with_quota_change(mut self, change: QuotaChange) -> Self {
        self.quota_change = Some(change);
        self
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the share that one of several `processes` has of each rule.
    pub(crate) fn share_of(&self, processes: NonZeroU32) -> Self {
        let mut share = self.clone();
        for rule in &mut share.rules {
            rule.quota = rule.quota.share_of(processes, MAX_PERIOD_US);
        }
        share
    }

    /// Returns whether a request takes a [permit](crate::RateLimiter::acquire).
    pub fn has_concurrency(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| rule.algorithm == Algorithm::Concurrency)
    }

    /// Returns the quota, if the policy is nothing else: its record is then one number.
    pub(crate) fn as_quota(&self) -> Option<Quota> {
        let is_plain =
            self.ban.is_none() && self.reservations.is_none() && self.quota_change.is_none();
        match &*self.rules {
            [rule] if is_plain && is_gcra(rule) => Some(rule.quota),
            _ => None,
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.rules.len() > Self::MAX_RULES {
            return Err(invalid("a policy has at most 8 rules"));
        }
        self.rules.iter().try_for_each(Rule::validate)?;
        if let Some(ban) = self.ban
            && (ban.refusals == 0 || !is_span(ban.within) || !is_span(ban.lasts))
        {
            return Err(invalid(
                "a ban must come after at least 1 refusal, and its times must be between 1 µs and 10 years",
            ));
        }
        match self.reservations {
            Some(ttl) if !is_span(ttl) => Err(invalid(
                "the TTL of a reservation must be between 1 µs and 10 years",
            )),
            // A place is held until the body has ended, and a reservation until its cost is known.
            Some(_) if self.has_concurrency() => Err(invalid(
                "a policy has a concurrency rule or reservations, not both: give each a limiter of its own, and \
                 put both in one layer by RateLimitLayer::and",
            )),
            _ => Ok(()),
        }
    }
}

/// Returns whether the rule is counted by GCRA.
pub(crate) fn is_gcra(rule: &Rule) -> bool {
    matches!(rule.algorithm, Algorithm::Gcra | Algorithm::TokenBucket)
}

/// Returns whether a policy can count with `span`.
pub(crate) fn is_span(span: Duration) -> bool {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    (1..=MAX_PERIOD_US).contains(&micros)
}

impl From<Quota> for Policy {
    fn from(quota: Quota) -> Self {
        Self::new(quota)
    }
}

impl From<Rule> for Policy {
    fn from(rule: Rule) -> Self {
        Self::new(rule)
    }
}
