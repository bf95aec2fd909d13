//! Policies that a function finds for each visitor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_rate_limit::{
    FailMode, KeyBy, Limit, LocalStore, Plans, Policy, Quota, QuotaChange, RateLimitLayer,
    RateLimiter, Rule,
};
use tokio::task::JoinSet;

use crate::support::{App, Behavior, ScriptedStore, from, lines, with};
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

    async fn a_settlement_under_an_older_plan_keeps_what_a_newer_one_counts(world: World) {
        let is_new = Arc::new(AtomicBool::new(false));
        let plans = {
            let is_new = is_new.clone();
            Plans::new(move |_| {
                let policy = Policy::new(Quota::per_hour(50)).with_reservations(MINUTE);
                let policy = match is_new.load(Ordering::SeqCst) {
                    false => policy,
                    true => policy.and(Rule::sliding_log(20, 60 * MINUTE)),
                };
                async move { Ok::<_, std::io::Error>(policy) }
            })
        };
        let limiter = world.limiter(Quota::per_hour(1)).with_plans(plans).unwrap();
        for (tenant, settles, left) in [("acme", true, 20 - 3 - 2), ("emca", false, 20 - 3 - 5)] {
            is_new.store(false, Ordering::SeqCst);
            let reservation = limiter.reserve(tenant, 5).await.unwrap().held().unwrap();
            is_new.store(true, Ordering::SeqCst);
            limiter.forget_plan(tenant);
            limiter.check_cost(tenant, 3).await.unwrap();
            match settles {
                true => drop(reservation.settle(2).await.unwrap()),
                false => assert!(reservation.renew().await.unwrap()),
            }
            let log = limiter.inspect(tenant).await.unwrap().rules()[1];
            assert_eq!(log.remaining(), left);
        }
    }

    async fn what_is_held_is_settled_by_the_plan_that_charged_it_if_no_newer_one_is_known(world: World) {
        let fails = Arc::new(AtomicBool::new(false));
        let limiter = world.limiter(Quota::per_hour(1)).with_plans(places(&fails)).unwrap();
        for fails_meanwhile in [false, true] {
            for (does, settled) in [
                ("drop a permit", 0),
                ("release a permit", 0),
                ("renew a permit", 0),
                ("settle a reservation", 2),
                ("cancel a reservation", 0),
                ("renew a reservation", 0),
            ] {
                let tenant = format!("{does} {fails_meanwhile}").replace(' ', "-");
                drop(limiter.acquire(&*tenant).await.unwrap());
                let (permit, reservation) = match does.ends_with("permit") {
                    true => (limiter.acquire(&*tenant).await.unwrap().held(), None),
                    false => (None, limiter.reserve(&*tenant, 5).await.unwrap().held()),
                };
                limiter.forget_plan(&*tenant);
                fails.store(fails_meanwhile, Ordering::SeqCst);
                match (does, permit, reservation) {
                    ("drop a permit", Some(permit), _) => drop(permit),
                    ("release a permit", Some(permit), _) => assert!(permit.release().await.unwrap()),
                    ("renew a permit", Some(permit), _) => {
                        assert!(permit.renew().await.unwrap());
                        std::mem::forget(permit);
                    }
                    (_, _, Some(reservation)) => match settled {
                        0 if does.starts_with("renew") => assert!(reservation.renew().await.unwrap()),
                        units => drop(reservation.settle(units).await.unwrap()),
                    },
                    _ => panic!("{tenant} holds nothing"),
                }
                fails.store(false, Ordering::SeqCst);
                // Over a network a permit comes back in the background.
                while does == "drop a permit" && limiter.inspect(&*tenant).await.unwrap().held() > 0 {
                    limiter.forget_plan(&*tenant);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                world.advance(MINUTE);
                limiter.forget_plan(&*tenant);
                let log = limiter.inspect(&*tenant).await.unwrap().rules()[0];
                let charged = if does.ends_with("permit") { 2 } else { 1 };
                assert_eq!(log.remaining(), 20 - charged - settled, "{tenant}");
            }
        }
    }

    async fn a_charge_is_given_back_by_the_plan_that_decided_though_it_is_not_kept(world: World) {
        let limiter = world.limiter(Quota::per_hour(9)).with_plans(tiers().with_max_keys(0)).unwrap();
        let gives_back = Arc::new(AtomicBool::new(false));
        let layer = RateLimitLayer::new(limiter.clone(), by_tenant()).with_timeout(MINUTE);
        let app = App::new(layer.with_refund_if({
            let gives_back = gives_back.clone();
            move |_| gives_back.load(Ordering::SeqCst)
        }));
        for given_back in [false, true] {
            gives_back.store(given_back, Ordering::SeqCst);
            assert_eq!(app.send(of("two-rules")).await.status(), 200);
        }
        gives_back.store(false, Ordering::SeqCst);
        for status in [200, 429] {
            assert_eq!(app.send(of("two-rules")).await.status(), status);
        }
    }

    async fn a_refund_whose_plan_is_not_known_any_more_leaves_what_was_charged(world: World) {
        let office = Office::default();
        let limiter = limiter(&world, &office);
        let charged = limiter.check("acme").await.unwrap();
        assert_eq!(limiter.refund("acme", charged).await.unwrap().remaining(), 10);
        let charged = limiter.check_cost("acme", 3).await.unwrap();
        office.fails.store(true, Ordering::SeqCst);
        limiter.forget_plan("acme");
        for _ in 0..2 {
            let error = limiter.refund("acme", charged).await.unwrap_err();
            assert!(error.to_string().contains("the charge stays"), "{error}");
        }
        // Whoever was counted by the limiter's own policy gets back what that charged.
        let charged = limiter.check("unknown").await.unwrap();
        assert_eq!(limiter.refund("unknown", charged).await.unwrap().remaining(), 2);
        office.fails.store(false, Ordering::SeqCst);
        limiter.forget_plan("acme");
        assert_eq!(left(&limiter, "acme").await, 7);
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

/// A log of 20 units, with places or with reservations, unless it is told to fail.
fn places(fails: &Arc<AtomicBool>) -> Plans {
    let fails = fails.clone();
    Plans::new(move |tenant: String| {
        let fails = fails.load(Ordering::SeqCst);
        async move {
            let log = Policy::new(Rule::sliding_log(20, 60 * MINUTE));
            match fails {
                false if tenant.contains("permit") => Ok(log.and(Rule::concurrency(5, MINUTE))),
                false => Ok(log.with_reservations(MINUTE)),
                true => Err(std::io::Error::other("no database")),
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_settled_without_waiting_for_a_plan() {
    let world = World::memory().await;
    let hangs = Arc::new(AtomicBool::new(false));
    let plans = {
        let hangs = hangs.clone();
        Plans::new(move |tenant: String| {
            let hangs = hangs.load(Ordering::SeqCst);
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<_, std::io::Error>(match &*tenant {
                    "places" => Policy::from(Rule::concurrency(5, MINUTE)),
                    _ => Policy::new(Quota::per_hour(9)).with_reservations(MINUTE),
                })
            }
        })
    };
    let plans = plans.with_ttl(Duration::ZERO);
    let limiter = world.limiter(Quota::per_hour(1)).with_plans(plans).unwrap();
    let permit = limiter.acquire("places").await.unwrap().held().unwrap();
    let reservation = limiter.reserve("tokens", 5).await.unwrap().held().unwrap();
    hangs.store(true, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    assert!(permit.renew().await.unwrap());
    assert!(permit.release().await.unwrap());
    reservation.cancel().await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
}

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
        let app = App::new(RateLimitLayer::of(limit).with_timeout(soon));
        let started = tokio::time::Instant::now();
        let passed = app.send(of(tenant)).await;
        assert_eq!(passed.status(), 200);
        let limit = lines(passed.headers(), "ratelimit").join(", ");
        assert!(limit.contains("r=1;"), "{tenant}: {limit}");
        assert_eq!(started.elapsed(), soon, "{tenant}");
    }
}

fn by_tenant() -> KeyBy {
    KeyBy::header(http::HeaderName::from_static("x-tenant"))
}

fn of(tenant: &str) -> http::Request<()> {
    with(from("192.0.2.1"), "x-tenant", tenant)
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

#[tokio::test]
async fn a_charge_is_given_back_though_its_plan_has_expired_meanwhile() {
    let world = World::memory().await;
    let plans = tiers().with_ttl(Duration::ZERO);
    let limiter = world.limiter(Quota::per_hour(2)).with_plans(plans).unwrap();
    let layer = RateLimitLayer::new(limiter, by_tenant()).with_refund_if(|_| true);
    let app = App::new(layer);
    for _ in 0..5 {
        let passed = app.send(of("two-rules")).await;
        assert_eq!(passed.status(), 200);
    }
}
