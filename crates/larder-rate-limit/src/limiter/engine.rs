use std::sync::Arc;

use crate::plan::Plan;
use crate::usage::RuleArgs;
use crate::{Decision, Gcra};

/// How visitors are counted.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// One number for each visitor, by a single quota.
    Gcra(Gcra),
    /// A record for each visitor, by one or more rules.
    Usage(Arc<Plan>),
    /// Not at all.
    Unlimited(Arc<Plan>),
}

impl Engine {
    /// Counts by `plan`, each visitor in a record of its own kind.
    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        match plan.args().is_empty() {
            true => Self::Unlimited(plan),
            false => Self::Usage(plan),
        }
    }

    /// Returns the plan by whose rules visitors are counted. None for a single quota.
    pub(crate) fn plan(&self) -> Option<&Arc<Plan>> {
        match self {
            Self::Gcra(_) => None,
            Self::Usage(plan) | Self::Unlimited(plan) => Some(plan),
        }
    }

    /// Returns the rules that count, without the edges of calendars. None of a single quota.
    pub(crate) fn rules(&self) -> &[RuleArgs] {
        self.plan().map_or(&[], |plan| plan.args())
    }

    /// Returns whether a request needs a permit.
    pub(crate) fn has_concurrency(&self) -> bool {
        self.plan().is_some_and(|plan| plan.lease_us.is_some())
    }

    /// Returns whether a request may reserve units.
    pub(crate) fn has_reservations(&self) -> bool {
        self.plan()
            .is_some_and(|plan| plan.reservation_us.is_some())
    }

    /// Returns whether too many refusals ban a visitor.
    pub(crate) fn bans(&self) -> bool {
        self.plan().is_some_and(|plan| plan.ban.refusals > 0)
    }

    /// Returns a decision of this engine that says itself when one more unit comes back, so that a limiter with
    /// another quota can be asked for it.
    pub(crate) fn with_more(&self, decision: Decision) -> Decision {
        match self {
            Self::Gcra(gcra) if decision.more_us == Decision::BY_GCRA => {
                let more = gcra.until_more(&decision).as_micros();
                Decision {
                    more_us: i64::try_from(more).unwrap_or(i64::MAX),
                    ..decision
                }
            }
            _ => decision,
        }
    }

    /// Returns the maximum cost of a request.
    pub(crate) fn max_cost(&self) -> u32 {
        match self {
            Self::Gcra(gcra) => gcra.burst(),
            Self::Usage(plan) | Self::Unlimited(plan) => plan.max_cost(),
        }
    }
}
