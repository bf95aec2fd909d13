//! How plans are found, kept and found again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_rate_limit::{Plans, Policy, Quota, RateLimitLayer};
use tokio::task::JoinSet;

use super::{MINUTE, Office, by_tenant, left, limiter, of};
use crate::support::App;
use crate::world::{World, on_every_store};

on_every_store! {
    async fn each_visitor_has_the_policy_of_its_plan(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        assert_eq!(limiter.check("acme").await.unwrap().remaining(), 9);
        assert_eq!(limiter.check("internal").await.unwrap().remaining(), u32::MAX);
        for _ in 0..20 {
            let _ = limiter.check("acme").await.unwrap();
        }
        assert_eq!(office.calls.load(Ordering::SeqCst), 2);
    }

    async fn a_plan_that_changed_counts_when_its_ttl_has_passed_or_it_is_forgotten(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        let _ = limiter.check_cost("acme", 5).await.unwrap();
        office.is_pro.store(true, Ordering::SeqCst);
        assert_eq!(left(&limiter, "acme").await, 5);
        world.advance(MINUTE);
        // Half of the old quota becomes half of the new one.
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
    // In the meantime, the limiter's own policy counts.
    assert_eq!(passed.iter().filter(|it| **it).count(), 2);
    assert!(started.elapsed() <= 2 * Plans::DEFAULT_TIMEOUT);
    assert_eq!(office.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn at_least_one_plan_is_kept_and_looked_for_at_least_a_millisecond() {
    let world = World::memory().await;
    let office = Office::default();
    let plans = office.plans().with_max_keys(0).with_timeout(Duration::ZERO);
    let limiter = world.limiter(Quota::per_hour(2)).with_plans(plans);
    let limiter = limiter.unwrap();
    for _ in 0..3 {
        assert_eq!(left(&limiter, "acme").await, 10);
    }
    assert_eq!(office.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_function_gets_the_id_as_it_is_and_not_as_it_is_written_in_a_key() {
    let world = World::memory().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let plans = {
        let asked = asked.clone();
        Plans::new(move |id: String| {
            asked.lock().unwrap().push(id);
            async { Ok::<_, std::io::Error>(Policy::from(Quota::per_hour(9))) }
        })
    };
    let limiter = world.limiter(Quota::per_hour(2)).with_plans(plans).unwrap();
    let _ = limiter.check("Acme GmbH").await.unwrap();
    let app = App::new(RateLimitLayer::new(limiter, by_tenant()));
    assert_eq!(app.send(of("ab+c=")).await.status(), 200);
    assert_eq!(
        *asked.lock().unwrap(),
        ["Acme GmbH", "header:x-tenant:ab+c="]
    );
}
