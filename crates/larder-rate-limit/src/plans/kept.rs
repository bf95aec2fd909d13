//! The plans that this process keeps.

use std::sync::Arc;

use larder_layer::Held;
use larder_store::{Key, KeyId};

use super::Plans;
use crate::RateLimiter;
use crate::plan::Plan;

/// What this process knows of a visitor.
#[derive(Clone)]
pub(super) enum Kept {
    Plan(Arc<Plan>),
    /// None was found, and the limiter's own policy has charged the visitor since.
    ChargedByOwn,
    /// None was found.
    NotFound,
}

impl Kept {
    pub(super) fn plan(self) -> Option<Arc<Plan>> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::ChargedByOwn | Self::NotFound => None,
        }
    }
}

impl Plans {
    /// Returns the plan that is kept for the visitor with `key`. `Some(None)` means the limiter's own.
    pub(crate) fn kept(&self, key: &Key, now: i64) -> Option<Option<Arc<Plan>>> {
        let held = self.kept.get(key)?;
        (held.deadline.as_micros() > now).then(|| held.value.plan())
    }

    /// Returns the same for a request that charges the visitor.
    pub(crate) fn kept_to_charge(&self, key: &Key, now: i64) -> Option<Option<Arc<Plan>>> {
        let held = self.kept.get(key)?;
        if held.deadline.as_micros() <= now {
            return None;
        }
        if matches!(held.value, Kept::NotFound) {
            self.charged_by_own(key);
        }
        Some(held.value.plan())
    }

    /// Notes that the limiter's own policy charges the visitor, so that it can refund that.
    pub(crate) fn charged_by_own(&self, key: &Key) {
        self.kept.update(key, |held| {
            let held = held.filter(|held| matches!(held.value, Kept::NotFound))?;
            let value = Kept::ChargedByOwn;
            Some(Held { value, ..held })
        });
    }

    /// Returns whether this process knows how the visitor was counted last.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        let kept = self.kept.peek(key);
        kept.is_some_and(|held| !matches!(held.value, Kept::NotFound))
    }

    /// Returns the last plan of a visitor, however old.
    pub(crate) fn last(&self, key: &Key) -> Option<Arc<Plan>> {
        self.kept.peek(key)?.value.plan()
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.kept.invalidate(key);
    }
}

impl RateLimiter {
    /// Forgets the plan that this process keeps for `visitor`, because it has changed.
    ///
    /// Other processes find the new one when their TTL has passed.
    pub fn forget_plan(&self, visitor: impl KeyId) {
        if let Some(plans) = &self.plans {
            plans.forget(&self.key(visitor));
        }
    }
}
