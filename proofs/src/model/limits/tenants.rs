//! Visitors with plans, which change while a sequence runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_rate_limit::{Plans, Policy, Quota, QuotaChange, RateLimiter, Rule};
use larder_store::{Result, Store};

use super::policies::{CALENDARS, PERMITS, RESERVATIONS, millis, policy};

/// The plans that a tenant may have. One more is none that is found.
pub(super) const PLANS: usize = 8;

/// How long a plan is kept. It is one of the times at whose ends something comes back.
const KEPT: u64 = 6;

/// A limiter of tenants on one store, and the plan of each.
pub(in crate::model) struct Tenants {
    pub(super) limiter: RateLimiter,
    plans: Arc<[AtomicUsize; 2]>,
}

impl Tenants {
    pub(in crate::model) fn new(store: &Arc<dyn Store>) -> Result<Self> {
        let plans = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let found = plans.clone();
        let find = move |tenant: String| {
            let tenant = usize::from(tenant == "1");
            let plan = plan(found[tenant].load(Ordering::SeqCst));
            async move { plan.ok_or_else(|| io::Error::other("no database")) }
        };
        let limiter = RateLimiter::new(store.clone(), "tenants", Quota::new(1, millis(10)))?;
        let limiter = limiter.with_plans(Plans::new(find).with_ttl(millis(KEPT)))?;
        Ok(Self { limiter, plans })
    }

    /// Gives a tenant another plan. `is_told` says whether its limiter forgets the old one at once.
    pub(super) fn change(&self, tenant: u8, plan: usize, is_told: bool) {
        self.plans[usize::from(tenant)].store(plan, Ordering::SeqCst);
        if is_told {
            self.limiter.forget_plan(tenant);
        }
    }
}

/// Returns the plan with this number. None if it is not found.
fn plan(number: usize) -> Option<Policy> {
    let of = |limit, change| Policy::new(Quota::new(limit, millis(8))).with_quota_change(change);
    Some(match number {
        0 => of(3, QuotaChange::AsIs),
        1 => of(6, QuotaChange::Proportional),
        2 => of(2, QuotaChange::Reset),
        3 => of(6, QuotaChange::AsIs).and(Rule::sliding_log(4, millis(10))),
        4 => policy(PERMITS, 2),
        5 => policy(RESERVATIONS, 3),
        6 => policy(CALENDARS, 2),
        7 => Policy::unlimited(),
        _ => return None,
    })
}
