//! Policies that a function finds for each visitor.

mod desk;
mod finding;
mod layer;
mod settling;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_rate_limit::{KeyBy, Plans, Policy, Quota, QuotaChange, RateLimiter, Rule};

use crate::support::{from, with};
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Office {
    calls: Arc<AtomicU32>,
    is_pro: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

impl Office {
    fn plans(&self) -> Plans {
        let office = self.clone();
        Plans::new(move |tenant: String| office.clone().find(tenant))
    }

    async fn find(self, tenant: String) -> std::io::Result<Policy> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("no database"));
        }
        tokio::task::yield_now().await;
        Ok(match &*tenant {
            "internal" => Policy::unlimited(),
            "acme" if self.is_pro.load(Ordering::SeqCst) => {
                Policy::new(Quota::per_hour(20)).with_quota_change(QuotaChange::Proportional)
            }
            _ => Policy::new(Quota::per_hour(10)),
        })
    }
}

fn limiter(world: &World, office: &Office) -> RateLimiter {
    world
        .limiter(Quota::per_hour(2))
        .with_plans(office.plans())
        .unwrap()
}

async fn left(limiter: &RateLimiter, tenant: &str) -> u32 {
    limiter.peek(tenant).await.unwrap().remaining()
}

/// Plans by the name of the tenant.
fn tiers() -> Plans {
    Plans::new(|tenant: String| async move {
        let per_hour = |limit| Policy::new(Quota::per_hour(limit));
        Ok::<_, std::io::Error>(match tenant.rsplit(':').next().unwrap_or("") {
            "two-rules" => per_hour(100).and(Rule::sliding_log(2, 60 * MINUTE)),
            "places" => Rule::concurrency(1, MINUTE).into(),
            "free" => Policy::unlimited(),
            "large" => per_hour(90),
            _ => per_hour(3),
        })
    })
}

fn by_tenant() -> KeyBy {
    KeyBy::header(http::HeaderName::from_static("x-tenant"))
}

fn of(tenant: &str) -> http::Request<()> {
    with(from("192.0.2.1"), "x-tenant", tenant)
}
