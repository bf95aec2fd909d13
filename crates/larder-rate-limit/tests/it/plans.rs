//! Policies that a function finds for each visitor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_rate_limit::{Plans, Policy, Quota, QuotaChange, RateLimiter};
use tokio::task::JoinSet;

use crate::world::{World, on_every_store};

const MINUTE: Duration = Duration::from_secs(60);

/// A function that finds plans, and what a test changes of it.
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

on_every_store! {
    async fn each_visitor_has_the_policy_of_its_plan(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        assert_eq!(limiter.check("acme").await.unwrap().remaining(), 9);
        assert_eq!(limiter.check("internal").await.unwrap().remaining(), u32::MAX);
        for _ in 0..20 {
            limiter.check("acme").await.unwrap();
        }
        assert_eq!(office.calls.load(Ordering::SeqCst), 2);
    }

    async fn a_plan_that_changed_counts_when_its_ttl_has_passed_or_it_is_forgotten(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        limiter.check_cost("acme", 5).await.unwrap();
        office.is_pro.store(true, Ordering::SeqCst);
        assert_eq!(left(&limiter, "acme").await, 5);
        world.advance(MINUTE);
        // A half of what there was is a half of what there is.
        let now = left(&limiter, "acme").await;
        assert!((10..=11).contains(&now), "{now}");
        office.is_pro.store(false, Ordering::SeqCst);
        limiter.forget_plan("acme");
        assert!(left(&limiter, "acme").await < 8);
    }

    async fn a_plan_that_is_not_found_leaves_the_last_one_or_the_limiters_own_policy(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        assert_eq!(left(&limiter, "acme").await, 10);
        office.fails.store(true, Ordering::SeqCst);
        world.advance(MINUTE);
        assert_eq!(left(&limiter, "acme").await, 10);
        assert_eq!(left(&limiter, "unknown").await, 2);
        let calls = office.calls.load(Ordering::SeqCst);
        for _ in 0..10 {
            left(&limiter, "unknown").await;
        }
        assert_eq!(office.calls.load(Ordering::SeqCst), calls);
        office.fails.store(false, Ordering::SeqCst);
        world.advance(Duration::from_secs(1));
        assert_eq!(left(&limiter, "unknown").await, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_costs_the_timeout_and_is_called_once_for_all() {
    let world = World::memory().await;
    let office = Office::default();
    office.hangs.store(true, Ordering::SeqCst);
    let limiter = limiter(&world, &office);
    let started = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let limiter = limiter.clone();
        tasks.spawn(async move { limiter.check("acme").await.unwrap().is_allowed() });
    }
    let passed = tasks.join_all().await;
    // The limiter's own policy counts meanwhile.
    assert_eq!(passed.iter().filter(|it| **it).count(), 2);
    assert!(started.elapsed() <= 2 * Plans::DEFAULT_TIMEOUT);
    assert_eq!(office.calls.load(Ordering::SeqCst), 1);
}
