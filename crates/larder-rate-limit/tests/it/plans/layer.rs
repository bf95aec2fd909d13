//! Plans of the visitors of a layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_rate_limit::{
    FailMode, Limit, LocalStore, Plans, Policy, Quota, QuotaChange, RateLimitLayer, RateLimiter,
    Rule, Window,
};

use super::{MINUTE, Office, by_tenant, limiter, of, tiers};
use crate::support::{App, Behavior, ScriptedStore, layer, lines, with};
use crate::world::{World, on_every_store};

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

on_every_store! {
    async fn a_layer_describes_and_applies_the_plan_of_each_visitor(world: World) {
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
            App::new(layer(limiter, by_tenant())),
            App::new(RateLimitLayer::of(limit.clone()).with_store_timeout(MINUTE)),
        ] {
            let passed = app.send(of("two-rules")).await;
            assert_eq!(
                lines(passed.headers(), "ratelimit-policy"),
                [r#""test";q=100;w=3600, "test:2";q=2;w=3600"#]
            );
            let free = app.send(of("free")).await;
            assert_eq!(lines(free.headers(), "ratelimit-policy"), [""; 0]);
            for _ in 0..3 {
                // Over a network, the place of the request before comes back in the background.
                while app.send(of("places")).await.status() != 200 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        let app = App::new(RateLimitLayer::of(limit).with_store_timeout(MINUTE));
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

    async fn a_changed_plan_carries_the_used_units_over_as_its_change_says(world: World) {
        for (change, name, left) in [
            // Five of ten units are used, the next plan has 20, and the request takes one.
            (QuotaChange::AsIs, "as-is", 20 - 5 - 1),
            (QuotaChange::Proportional, "proportional", 20 - 10 - 1),
            (QuotaChange::Reset, "reset", 20 - 1),
        ] {
            let is_larger = Arc::new(AtomicBool::new(false));
            let found = is_larger.clone();
            let plans = Plans::new(move |_| {
                let limit = if found.load(Ordering::SeqCst) { 20 } else { 10 };
                let rule = Rule::fixed_window(limit, Window::every(60 * MINUTE));
                let policy = Policy::new(rule).with_quota_change(change);
                async move { Ok::<_, std::io::Error>(policy) }
            });
            let limiter = world.named(name, Quota::per_hour(1)).with_plans(plans).unwrap();
            let app = App::new(layer(limiter.clone(), by_tenant()));
            for _ in 0..4 {
                assert_eq!(app.send(of("acme")).await.status(), 200);
            }
            is_larger.store(true, Ordering::SeqCst);
            let kept = app.send(of("acme")).await;
            assert!(lines(kept.headers(), "ratelimit")[0].contains(";r=5;"), "{name}");
            limiter.forget_plan(("header", "x-tenant", "acme"));
            let changed = app.send(of("acme")).await;
            let limit = lines(changed.headers(), "ratelimit").join(", ");
            assert!(limit.contains(&format!(";r={left};")), "{name}: {limit}");
        }
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
