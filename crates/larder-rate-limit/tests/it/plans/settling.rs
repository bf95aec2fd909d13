//! Charges under a plan that has changed, or that is not known any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_rate_limit::{Plans, Policy, Quota, RateLimitLayer, Rule};

use super::{MINUTE, Office, by_tenant, left, limiter, of, tiers};
use crate::support::App;
use crate::world::{World, on_every_store};

on_every_store! {
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
            let _ = limiter.check_cost(tenant, 3).await.unwrap();
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
        let limiter = world.limiter(Quota::per_hour(9)).with_plans(tiers()).unwrap();
        let gives_back = Arc::new(AtomicBool::new(false));
        let layer = RateLimitLayer::new(limiter.clone(), by_tenant()).with_store_timeout(MINUTE);
        let app = App::new(layer.with_refund_if({
            let gives_back = gives_back.clone();
            move |_| {
                limiter.forget_plan(("header", "x-tenant", "two-rules"));
                gives_back.load(Ordering::SeqCst)
            }
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
        // Whoever only looks is told of the limiter's own policy, which has charged nothing.
        let _ = limiter.peek("acme").await.unwrap();
        for _ in 0..2 {
            let error = limiter.refund("acme", charged).await.unwrap_err();
            assert!(error.to_string().contains("the charge stays"), "{error}");
        }
        // A visitor who was counted by the limiter's own policy gets back what that policy charged.
        let charged = limiter.check("unknown").await.unwrap();
        assert_eq!(limiter.refund("unknown", charged).await.unwrap().remaining(), 2);
        let _ = limiter.peek("looks").await.unwrap();
        let charged = limiter.check("looks").await.unwrap();
        assert_eq!(limiter.refund("looks", charged).await.unwrap().remaining(), 2);
        office.fails.store(false, Ordering::SeqCst);
        limiter.forget_plan("acme");
        assert_eq!(left(&limiter, "acme").await, 7);
    }
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
    let _ = reservation.cancel().await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
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
