//! Permits and reservations: given back on completion, disconnect, panic and death.

use std::future::pending;
use std::time::Duration;

use larder_rate_limit::{Grant, Policy, Quota, RateLimiter, Reason, Rule, Window};
use larder_store::ErrorKind;

use crate::support::{Behavior, ScriptedStore};
use crate::world::{World, on_every_store};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(120);

fn reports(world: &World) -> RateLimiter {
    let others = Rule::fixed_window(1_000, Window::every(100 * TTL));
    world.limiter(Policy::new(Rule::concurrency(1, LEASE)).and(others))
}

/// Waits until a permit that was dropped is back, which over a network is in the background.
async fn is_free(limiter: &RateLimiter) -> bool {
    for _ in 0..2_000 {
        if limiter.peek("ada").await.unwrap().is_allowed() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

fn tokens(world: &World) -> RateLimiter {
    tokens_of(world, 100)
}

fn tokens_of(world: &World, limit: u32) -> RateLimiter {
    let rule = Rule::fixed_window(limit, Window::every(100 * TTL));
    world.limiter(Policy::new(rule).with_reservations(TTL))
}

async fn reserved(limiter: &RateLimiter, units: u32) -> larder_rate_limit::Reservation {
    limiter.reserve("ada", units).await.unwrap().held().unwrap()
}

async fn left(limiter: &RateLimiter) -> u32 {
    limiter.peek("ada").await.unwrap().remaining()
}

on_every_store! {
    async fn a_permit_comes_back_when_its_request_ends_is_dropped_or_panics(world: World) {
        let limiter = reports(&world);
        drop(limiter.acquire("ada").await.unwrap().held().unwrap());
        assert!(is_free(&limiter).await);
        // The client leaves.
        let serving = tokio::spawn({
            let limiter = limiter.clone();
            async move {
                let _permit = limiter.acquire("ada").await.unwrap().held().unwrap();
                pending::<()>().await;
            }
        });
        while limiter.peek("ada").await.unwrap().is_allowed() {
            tokio::task::yield_now().await;
        }
        serving.abort();
        assert!(is_free(&limiter).await);
        let panics = tokio::spawn({
            let limiter = limiter.clone();
            async move {
                let _permit = limiter.acquire("ada").await.unwrap().held().unwrap();
                panic!("as it was told to");
            }
        });
        assert!(panics.await.unwrap_err().is_panic());
        assert!(is_free(&limiter).await);
    }

    async fn a_permit_of_a_process_that_has_died_comes_back_with_its_lease(world: World) {
        let limiter = reports(&world);
        std::mem::forget(limiter.acquire("ada").await.unwrap().held().unwrap());
        let refused = limiter.acquire("ada").await.unwrap().refused().unwrap();
        assert_eq!((refused.reason(), refused.retry_after()), (Some(Reason::Concurrency), LEASE));
        let rules = limiter.inspect("ada").await.unwrap();
        let reasons: Vec<_> = rules.rules().iter().map(|rule| rule.reason()).collect();
        assert_eq!(reasons, [Some(Reason::Concurrency), None]);
        world.advance(LEASE);
        let next = limiter.acquire("ada").await.unwrap().held().unwrap();
        // Each was charged to the other rule; the refused one was not.
        assert_eq!(limiter.inspect("ada").await.unwrap().rules()[1].remaining(), 998);
        assert!(next.release().await.unwrap());
    }

    async fn a_permit_that_is_renewed_is_held_for_its_whole_lease_again(world: World) {
        let limiter = reports(&world);
        let permit = limiter.acquire("ada").await.unwrap().held().unwrap();
        for _ in 0..3 {
            world.advance(LEASE - SECOND);
            assert!(permit.renew().await.unwrap());
        }
        assert!(limiter.acquire("ada").await.unwrap().refused().is_some());
        world.advance(LEASE);
        assert!(!permit.renew().await.unwrap());
        assert!(!permit.release().await.unwrap());
    }

    async fn a_check_of_a_policy_with_permits_says_how_to_take_one(world: World) {
        let error = reports(&world).check("ada").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("RateLimiter::acquire"), "{error}");
    }

    async fn a_reservation_counts_until_the_real_cost_is_settled(world: World) {
        let limiter = tokens(&world);
        let reservation = reserved(&limiter, 60).await;
        assert_eq!(left(&limiter).await, 40);
        assert!(limiter.reserve("ada", 41).await.unwrap().refused().is_some());
        // It was cheaper than estimated.
        assert_eq!(reservation.settle(10).await.unwrap().remaining(), 90);
        let reservation = reserved(&limiter, 60).await;
        let _ = reservation.cancel().await.unwrap();
        assert_eq!(left(&limiter).await, 90);
    }

    async fn a_visitor_has_at_most_a_thousand_reservations_at_once(world: World) {
        let limiter = tokens_of(&world, 5_000);
        for _ in 0..Policy::MAX_RESERVATIONS {
            drop(reserved(&limiter, 1).await);
        }
        world.advance(SECOND);
        let refused = limiter.reserve("ada", 1).await.unwrap().refused().unwrap();
        let (reason, wait) = (refused.reason(), refused.retry_after());
        assert_eq!((reason, wait), (Some(Reason::Concurrency), TTL - SECOND));
        assert!(limiter.check("ada").await.unwrap().is_allowed(), "it reserves nothing");
        world.advance(TTL - SECOND);
        assert!(limiter.reserve("ada", 1).await.unwrap().held().is_some());
    }

    async fn what_was_used_beyond_the_estimate_is_a_debt_of_at_most_the_limit(world: World) {
        let limiter = tokens(&world);
        let settled = reserved(&limiter, 10).await.settle(150).await.unwrap();
        assert_eq!((settled.is_allowed(), settled.remaining()), (false, 0));
        assert_eq!(limiter.check("ada").await.unwrap().reason(), Some(Reason::Quota));
        // A bucket pays its debt off at its rate: 15 more than its burst of 10, at one a second.
        let quota = Quota::per_second(1).with_burst(10);
        let bucket = world.named("bucket", Policy::new(quota).with_reservations(TTL));
        let _ = reserved(&bucket, 1).await.settle(15).await.unwrap();
        let refused = bucket.check("ada").await.unwrap();
        assert_eq!(refused.retry_after(), 6 * SECOND);
        let over = world.named("over", Policy::new(quota).with_reservations(TTL));
        let _ = reserved(&over, 1).await.settle(u32::MAX).await.unwrap();
        assert_eq!(over.check("ada").await.unwrap().retry_after(), 11 * SECOND);
    }

    async fn the_wait_counts_what_is_held_until_it_ends_and_what_is_used_until_it_is_back(world: World) {
        let policy = Policy::new(Rule::sliding_log(10, 4 * TTL)).with_reservations(TTL);
        let limiter = world.limiter(policy);
        let _ = limiter.check_cost("ada", 6).await.unwrap();
        drop(reserved(&limiter, 2).await);
        world.advance(TTL / 3);
        drop(reserved(&limiter, 2).await);
        for (cost, wait) in [(1, TTL - TTL / 3), (3, TTL), (5, 4 * TTL - TTL / 3)] {
            let refused = limiter.check_cost("ada", cost).await.unwrap();
            assert_eq!(refused.retry_after(), wait, "{cost}");
        }
        // A ban ends before or after that.
        for (ban, wait) in [(SECOND, TTL - TTL / 3), (2 * TTL, 2 * TTL)] {
            let report = limiter.ban("ada", ban).await.unwrap();
            assert_eq!((report.ban(), report.decision().retry_after()), (Some(ban), wait));
        }
        let plain = world.named("plain", Quota::per_hour(1));
        let _ = plain.check("ada").await.unwrap();
        let report = plain.ban("ada", SECOND).await.unwrap();
        let refused = plain.check("ada").await.unwrap();
        assert_eq!((report.ban(), refused.retry_after()), (Some(SECOND), 3_600 * SECOND));
    }

    async fn a_reservation_that_is_lost_ends_by_its_ttl_and_leaves_nothing(world: World) {
        let limiter = tokens(&world);
        for _ in 0..3 {
            drop(reserved(&limiter, 100).await);
            let refused = limiter.reserve("ada", 1).await.unwrap().refused().unwrap();
            assert_eq!(refused.retry_after(), TTL);
            world.advance(TTL);
            assert_eq!(left(&limiter).await, 100);
        }
    }

    async fn what_is_settled_after_its_reservation_has_ended_is_charged_all_the_same(world: World) {
        let limiter = tokens(&world);
        let reservation = reserved(&limiter, 100).await;
        world.advance(TTL);
        assert!(!reservation.renew().await.unwrap());
        assert_eq!(reservation.settle(30).await.unwrap().remaining(), 70);
    }
}

#[tokio::test]
async fn a_reservation_of_a_policy_without_them_is_an_error_that_says_how_to_allow_them() {
    let world = World::memory().await;
    for policy in [
        Policy::new(Quota::per_hour(5)),
        Rule::sliding_log(5, SECOND).into(),
    ] {
        let error = world.limiter(policy).reserve("ada", 1).await.unwrap_err();
        assert!(
            error.to_string().contains("Policy::with_reservations"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_acquires_holds_nothing() {
    let scripted = ScriptedStore::new(Behavior::After(SECOND));
    let rule = Rule::concurrency(1, LEASE);
    let limiter = RateLimiter::new(scripted.store(), "test", rule).unwrap();
    let acquiring = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire("ada").await.unwrap().held().is_some() }
    });
    tokio::time::sleep(SECOND / 2).await;
    acquiring.abort();
    assert!(acquiring.await.unwrap_err().is_cancelled());
    tokio::time::sleep(3 * SECOND).await;
    assert!(matches!(
        limiter.acquire("ada").await.unwrap(),
        Grant::Held(_)
    ));
}
