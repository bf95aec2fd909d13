//! Calls the function that finds plans.

use std::sync::Arc;
use std::time::Duration;

use larder_layer::{Failure, Joined};
use larder_store::{Key, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::Plans;
use super::errors::late;
use super::kept::Kept;
use crate::plan::{Plan, micros};
use crate::visitor_id::id_of;

/// The time after a failure until the function is called again.
const RETRY: Duration = Duration::from_secs(1);

/// The maximum number of visitors whose plans are being found at once. Others are counted by their last plan.
pub(super) const MAX_FLIGHTS: usize = 1_000;

impl Plans {
    /// Finds the plan of the visitor with `key`, and waits `within` at most. None if no plan was found.
    pub(crate) async fn find(&self, key: &Key, now: i64, within: Duration) -> Option<Arc<Plan>> {
        if let Some(plan) = self.kept(key, now) {
            return plan;
        }
        let within = within.min(self.timeout);
        let deadline = Instant::now() + within;
        loop {
            match self.flights.join(key, || self.kept(key, now)) {
                Joined::Hit(plan) => return plan,
                Joined::Full => return self.last(key),
                Joined::Leader(leader) => {
                    let plan = self.call_and_keep(key, now, deadline).await;
                    leader.complete(plan.clone());
                    return plan;
                }
                Joined::Follower(follower) => {
                    match follower.outcome(deadline).await {
                        Ok(plan) => return plan,
                        Err(Failure::TimedOut) => return self.last(key),
                        // The leader's request was dropped, so another one leads.
                        Err(Failure::Abandoned | Failure::Panicked) => {}
                    }
                }
            }
        }
    }

    /// Finds the newest plan of the visitor with `key`, even if one is kept. Returns the last one if that fails.
    pub(crate) async fn find_anew(&self, key: &Key, now: i64) -> Option<Arc<Plan>> {
        self.call_and_keep(key, now, Instant::now() + self.timeout)
            .await
    }

    async fn call_and_keep(&self, key: &Key, now: i64, deadline: Instant) -> Option<Arc<Plan>> {
        let generation = self.kept.generation(key);
        let (found, ttl) = self.call(key, deadline).await;
        let deadline = Timestamp::from_micros(now).plus_micros(micros(ttl));
        // A plan that was forgotten in the meantime is looked up again.
        self.kept
            .insert_if_unchanged(key.clone(), found.clone(), deadline, generation);
        found.plan()
    }

    /// Calls the function. Returns what is now known, and for how long.
    async fn call(&self, key: &Key, deadline: Instant) -> (Kept, Duration) {
        let found = timeout_at(deadline, (self.find)(id_of(key))).await;
        let plan = match found {
            Ok(Ok(policy)) => Plan::new(policy),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late()),
        };
        match plan {
            Ok(plan) => (Kept::Plan(Arc::new(plan)), self.ttl),
            Err(error) => {
                if self.failed.is_due() {
                    let policy = &*self.policy;
                    tracing::warn!(policy, ?error, "the lookup of plans fails");
                }
                let last = self.kept.peek(key).map(|held| held.value);
                (last.unwrap_or(Kept::NotFound), RETRY.min(self.ttl))
            }
        }
    }
}
