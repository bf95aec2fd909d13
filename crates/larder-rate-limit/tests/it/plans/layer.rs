//! Plans of the visitors of a layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_rate_limit::{
    FailMode, Limit, LocalStore, Plans, Policy, Quota, RateLimitLayer, RateLimiter, Rule,
};

use super::{MINUTE, Office, by_tenant, limiter, of, tiers};
use crate::support::{App, Behavior, ScriptedStore, lines, with};
use crate::world::World;

/// One plan and the other in turn, of which none is kept, and how often they were asked for.
fn in_turn(plans: [Policy; 2]) -> (Plans, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let plans = Plans::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) as usize;
        let policy = plans[call % 2].clone();
        async move { Ok::<_, std::io::Error>(policy) }
    });
    (plans.with_ttl(Duration::ZERO), counted)
}

#[tokio::test]
async fn a_request_goes_by_one_plan_though_the_next_is_another() {
    let world = World::memory().await;
    let quota = |limit| Policy::new(Quota::per_hour(limit));
    let places = || Policy::from(Rule::concurrency(1, MINUTE));
    for (i, plans) in [
        [quota(10), quota(5)],
        [quota(10), places()],
        [places(), quota(5)],
        [Policy::unlimited(), quota(5)],
    ]
    .into_iter()
    .enumerate()
    {
        for is_alone in [true, false] {
            let (plans, calls) = in_turn(plans.clone());
            let limiter = world.named(&format!("test-{i}-{is_alone}"), Quota::per_hour(2));
            let limiter = limiter.with_plans(plans).unwrap();
            let limit = Limit::new(limiter, by_tenant()).with_cost_by(|_| 1_000);
            let mut layer = RateLimitLayer::of(limit);
            if !is_alone {
                let other = world.named("other", Quota::per_hour(100));
                layer = layer.and(Limit::new(other, by_tenant()));
            }
            assert_eq!(App::new(layer).send(of("acme")).await.status(), 200, "{i}");
            assert_eq!(calls.load(Ordering::SeqCst), 1, "{i}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_waits_for_a_plan_no_longer_than_its_timeout_and_then_counts_by_the_own_policy() {
    let soon = Duration::from_millis(20);
    let world = World::memory().await;
    let office = Office::default();
    office.hangs.store(true, Ordering::SeqCst);
    let limit = Limit::new(limiter(&world, &office), by_tenant());
    for (tenant, limit) in [("acme", limit.clone()), ("emca", limit.with_cost_by(|_| 1))] {
        let app = App::new(RateLimitLayer::of(limit).with_store_timeout(soon));
        let started = tokio::time::Instant::now();
        let passed = app.send(of(tenant)).await;
        assert_eq!(passed.status(), 200);
        let limit = lines(passed.headers(), "ratelimit").join(", ");
        assert!(limit.contains("r=1;"), "{tenant}: {limit}");
        assert_eq!(started.elapsed(), soon, "{tenant}");
    }
}

#[tokio::test]
async fn a_layer_describes_and_applies_the_plan_of_each_visitor() {
    let world = World::memory().await;
    let limiter = world
        .limiter(Quota::per_hour(30))
        .with_plans(tiers())
        .unwrap();
    let limit = Limit::new(limiter.clone(), by_tenant()).with_cost_by(|request| {
        let units = request
            .headers()
            .get("x-units")
            .and_then(|it| it.to_str().ok()?.parse().ok());
        units.unwrap_or(1)
    });
    for app in [
        App::new(RateLimitLayer::new(limiter, by_tenant())),
        App::new(RateLimitLayer::of(limit.clone())),
    ] {
        let passed = app.send(of("two-rules")).await;
        assert_eq!(
            lines(passed.headers(), "ratelimit-policy"),
            [r#""test";q=100;w=3600, "test:2";q=2;w=3600"#]
        );
        let free = app.send(of("free")).await;
        assert_eq!(lines(free.headers(), "ratelimit-policy"), [""; 0]);
        for _ in 0..3 {
            assert_eq!(app.send(of("places")).await.status(), 200);
        }
    }
    let app = App::new(RateLimitLayer::of(limit));
    let refused = app.send(of("two-rules")).await;
    assert_eq!(refused.status(), 429);
    let body = String::from_utf8(refused.body().to_vec()).unwrap();
    assert!(
        body.contains("#quota-exceeded") && body.contains(r#"["test:2"]"#),
        "{body}"
    );
    // More than the burst of the plan is the whole burst, larger or smaller than the limiter's own.
    for (tenant, left) in [("large", "r=0"), ("small", "r=0")] {
        let passed = app.send(with(of(tenant), "x-units", "1000")).await;
        assert_eq!(passed.status(), 200, "{tenant}");
        let limit = lines(passed.headers(), "ratelimit").join(", ");
        assert!(limit.contains(left), "{tenant}: {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_a_visitor_has_its_share_of_the_plan_that_was_known_last() {
    let store = ScriptedStore::new(Behavior::Now);
    let local = || Arc::new(larder_moka::MokaStore::new());
    let limiter = RateLimiter::new(store.store(), "test", Quota::per_hour(2)).unwrap();
    let limiter = limiter
        .with_plans(tiers().with_ttl(Duration::ZERO))
        .unwrap();
    let shared = LocalStore::new(local())
        .unwrap()
        .with_share_of(30.try_into().unwrap());
    let layer = RateLimitLayer::new(limiter, by_tenant());
    let whole = App::new(
        layer
            .clone()
            .with_fail_mode(FailMode::local(local()).unwrap()),
    );
    let shared = App::new(layer.with_fail_mode(FailMode::Local(shared)));
    assert_eq!(whole.send(of("large")).await.status(), 200);
    store.set(Behavior::Fails(larder_store::ErrorKind::NotSent));
    for (app, left) in [(&whole, 89), (&shared, 2)] {
        let passed = app.send(of("large")).await;
        assert_eq!(passed.status(), 200);
        let limit = lines(passed.headers(), "ratelimit").join(", ");
        assert!(limit.contains(&format!("r={left};")), "{limit}");
    }
}
