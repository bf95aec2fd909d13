//! A policy as numbers for its programs.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larder_store::Result;
use smallvec::SmallVec;

use crate::headers::Fields;
use crate::policy::{Policy, is_gcra};
use crate::quota::invalid;
use crate::rule::{Algorithm, Rule};
use crate::usage::{BanArgs, RuleArgs, Rules};
use crate::window::Edges;

/// A policy as numbers for its programs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) policy: Policy,
    args: SmallVec<[RuleArgs; 2]>,
    pub(crate) ban: BanArgs,
    /// How long a reservation is kept. None if the policy has none.
    pub(crate) reservation_us: Option<i64>,
    /// How long a permit is kept. None if no rule takes one.
    pub(crate) lease_us: Option<i64>,
    /// The maximum cost of a request.
    most: u32,
    fields: OnceLock<Fields>,
    /// The share of one of this many processes, once it was requested.
    share: OnceLock<(NonZeroU32, Arc<Self>)>,
}

impl Plan {
    pub(crate) fn new(policy: Policy) -> Result<Self> {
        policy.validate()?;
        let rules = &policy.rules;
        let args = rules.iter().map(args).collect::<Result<_>>()?;
        let leases = rules.iter().filter(|rule| !counts_units(rule));
        let lease_us = leases.map(|rule| micros(rule.quota.period())).max();
        let counting = rules.iter().filter(|rule| counts_units(rule));
        let most = counting.map(|rule| rule.quota.burst()).min();
        let ban = policy.ban.map_or_else(BanArgs::default, |ban| BanArgs {
            refusals: i64::from(ban.refusals),
            within_us: micros(ban.within),
            lasts_us: micros(ban.lasts),
        });
        Ok(Self {
            args,
            ban,
            reservation_us: policy.reservations.map(micros),
            lease_us,
            most: most.unwrap_or(u32::MAX),
            fields: OnceLock::new(),
            share: OnceLock::new(),
            policy,
        })
    }

    /// Returns the rules as they are at the time that `now` returns. Only a calendar calls it.
    pub(crate) fn rules(&self, now: impl Fn() -> i64) -> Rules {
        let _ = &now;
        #[allow(unused_mut, reason = "only a calendar changes them")]
        let mut args = self.args.clone();
        #[cfg(feature = "calendar")]
        for (args, rule) in args.iter_mut().zip(&self.policy.rules) {
            if let (RuleArgs::Calendar { edges, .. }, Some(window)) = (args, &rule.window)
                && let Edges::Calendar(calendar) = &window.0
            {
                *edges = calendar.edges(now());
            }
        }
        Rules {
            rules: args,
            change: self.policy.quota_change.unwrap_or_default(),
        }
    }

    pub(crate) fn args(&self) -> &[RuleArgs] {
        &self.args
    }

    /// Returns the header fields of the policy, whose limiter has this name.
    pub(crate) fn fields(&self, name: &str) -> &Fields {
        self.fields
            .get_or_init(|| Fields::of(name, &self.policy.rules))
    }

    /// Returns the plan with the quotas of one of several `processes`.
    pub(crate) fn share_of(self: &Arc<Self>, processes: NonZeroU32) -> Arc<Self> {
        // The parts of what is valid are valid too, so the fallback is never taken.
        let part = || Self::new(self.policy.share_of(processes)).map_or(self.clone(), Arc::new);
        match self.share.get_or_init(|| (processes, part())) {
            (of, share) if *of == processes => share.clone(),
            _ => part(),
        }
    }

    /// Returns the maximum cost of a request.
    pub(crate) fn max_cost(&self) -> u32 {
        self.most
    }

    /// Refuses a cost that could never pass.
    pub(crate) fn check_cost(&self, cost: u32) -> Result<()> {
        match (1..=self.most).contains(&cost) {
            true => Ok(()),
            false => Err(too_much()),
        }
    }
}

/// Returns the error for a cost that no quota lets pass.
pub(crate) fn too_much() -> larder_store::Error {
    invalid("the cost of a request must be at least 1 and at most the burst of its quota")
}

fn args(rule: &Rule) -> Result<RuleArgs> {
    let quota = rule.quota;
    let (limit, period) = (i64::from(quota.limit()), micros(quota.period()));
    Ok(match rule.algorithm {
        _ if is_gcra(rule) => RuleArgs::Gcra {
            interval: quota.interval_micros()?,
            tolerance: quota.burst_micros()?,
        },
        Algorithm::SlidingWindow => RuleArgs::Sliding { limit, period },
        Algorithm::SlidingLog => RuleArgs::Log { limit, period },
        Algorithm::Concurrency => RuleArgs::Permits { limit },
        _ => match rule.window.as_ref().map(|window| &window.0) {
            Some(Edges::FromFirst(_)) => RuleArgs::FromFirst { limit, period },
            #[cfg(feature = "calendar")]
            Some(Edges::Calendar(calendar)) => RuleArgs::Calendar {
                limit,
                id: calendar.id(),
                edges: [0; 4],
            },
            _ => RuleArgs::Aligned { limit, period },
        },
    })
}

fn counts_units(rule: &Rule) -> bool {
    rule.algorithm != Algorithm::Concurrency
}

/// Returns whole microseconds. A time that was validated fits.
pub(crate) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
