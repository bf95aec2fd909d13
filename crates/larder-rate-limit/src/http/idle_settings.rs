//! Settings of a layer that have no effect, which are logged because a layer has no step that can fail.

use std::sync::atomic::{AtomicBool, Ordering};

use super::decider::Decider;
use super::limit::Limit;

/// Whether the settings have been checked. A clone, whose settings may change, has not checked its own.
#[derive(Debug, Default)]
pub(super) struct Checked(AtomicBool);

impl Clone for Checked {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Decider {
    /// Logs the settings that have no effect, the first time that it is called.
    pub(super) fn warn_of_idle_settings(&self) {
        if self.checked.0.swap(true, Ordering::Relaxed) {
            return;
        }
        for limit in &self.limits {
            let policy = limit.limiter.policy();
            for replaced in self.replaced_by_none(limit) {
                tracing::warn!(
                    policy,
                    replaced,
                    "Limit::with_replaced names no other limit of this layer, so nothing is replaced: name \
                     the policy of a limit of the same layer"
                );
            }
        }
        if self.settle_by.is_some() && !self.limits.iter().any(|limit| can_settle(limit)) {
            let policy = self.limits[0].limiter.policy();
            tracing::warn!(
                policy,
                "RateLimitLayer::with_settled_cost has no effect, because no limit of this layer allows \
                 reservations: add Policy::with_reservations to the policy whose cost it states"
            );
        }
    }

    /// Returns the policies that a limit would replace, and that no other limit of this layer has.
    fn replaced_by_none<'a>(&'a self, limit: &'a Limit) -> impl Iterator<Item = &'a str> {
        let others = move || {
            self.limits
                .iter()
                .filter(|other| !std::ptr::eq(&***other, limit))
        };
        limit
            .replaced()
            .filter(move |replaced| others().all(|other| other.limiter.policy() != *replaced))
    }
}

/// Returns whether a limit may settle a charge, or has none. A plan may allow reservations.
fn can_settle(limit: &Limit) -> bool {
    let limiter = &limit.limiter;
    limiter.has_plans() || limiter.is_unlimited() || limiter.engine.has_reservations()
}
