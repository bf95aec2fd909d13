//! Stores in this process without room for new visitors.

mod plans;

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{
    Ban, FailMode, KeyBy, Policy, Quota, RateLimitLayer, RateLimiter, Reason, Tat, Usage,
};
use larder_store::program::Record;
use larder_store::{ErrorKind, ManualClock, Store};

use crate::support::{App, Behavior, ScriptedStore, from};

fn room_for(visitors: usize) -> (Arc<dyn Store>, ManualClock) {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_max_keys_of(Tat::KIND, visitors);
    (Arc::new(store.with_clock(clock.clone()).build()), clock)
}

fn policy(store: &Arc<dyn Store>, name: &str, limit: u32) -> RateLimiter {
    RateLimiter::new(store.clone(), name, Quota::per_hour(limit)).unwrap()
}

fn address(number: u32) -> String {
    std::net::Ipv4Addr::from(number).to_string()
}

#[tokio::test]
async fn a_flood_of_one_policy_leaves_every_other_its_room() {
    const ROOM: u32 = 2_000;
    let (store, _) = room_for(ROOM as usize);
    let pages = RateLimitLayer::new(policy(&store, "pages", 300), KeyBy::peer());
    let pages = App::new(pages);
    let sign_in = RateLimitLayer::new(policy(&store, "sign-in", 5), KeyBy::peer());
    let sign_in = App::new(sign_in.with_fail_mode(FailMode::Closed));
    for number in 0..3 * ROOM {
        pages.send(from(&address(number))).await;
    }
    for number in 0..ROOM {
        let response = sign_in.send(from(&address(number))).await;
        assert_eq!(response.status(), 200, "{number}");
        assert!(response.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn new_visitors_of_a_full_policy_are_limited_too() {
    let (store, clock) = room_for(2_000);
    let limiter = policy(&store, "pages", 3);
    for number in 0..2_000_u32 {
        let decision = limiter.check(number).await.unwrap();
        assert!(decision.is_allowed() && !decision.is_shared());
    }
    // Visitors who have a record are limited as before.
    let known = limiter.check(7_u32).await.unwrap();
    assert_eq!((known.remaining(), known.is_shared()), (1, false));
    // A new visitor passes as often as its quota says, and no more.
    let mut passed = 0;
    for _ in 0..100 {
        let decision = limiter.check("new").await.unwrap();
        assert!(decision.is_shared());
        passed += u32::from(decision.is_allowed());
    }
    assert_eq!(passed, 3);
    // In the meantime nearly all others are let in.
    let mut others = 0;
    for number in 0..100_u32 {
        let decision = limiter.check(("other", number)).await.unwrap();
        others += u32::from(decision.is_allowed());
    }
    assert!(others > 90, "{others} of 100");
    // Once there is room again, each has a quota of its own.
    clock.advance(Duration::from_secs(3600));
    let own = limiter.check("new").await.unwrap();
    assert_eq!((own.remaining(), own.is_shared()), (2, false));
}

#[tokio::test]
async fn what_was_charged_by_a_shared_quota_is_given_back_to_it() {
    let (store, _) = room_for(1_500);
    let limiter = policy(&store, "guesses", 2);
    for number in 0..1_500_u32 {
        let _ = limiter.check(number).await.unwrap();
    }
    for _ in 0..10 {
        let decision = limiter.check("new").await.unwrap();
        assert!(decision.is_allowed() && decision.is_shared());
        let _ = limiter.refund("new", decision).await.unwrap();
    }
    let layer = RateLimitLayer::new(limiter, KeyBy::peer()).with_refund_if(|_| true);
    let app = App::new(layer);
    for _ in 0..10 {
        assert_eq!(app.status("192.0.2.1").await, 200);
    }
}

#[tokio::test]
async fn visitors_are_limited_also_where_there_is_less_room_than_shared_quotas() {
    let (store, _) = room_for(10);
    let limiter = policy(&store, "pages", 3);
    for number in 0..3_000_u32 {
        let decision = limiter.check(number).await.unwrap();
        assert_eq!(decision.is_shared(), number >= 10);
    }
    let mut passed = 0;
    for _ in 0..100 {
        passed += u32::from(limiter.check("new").await.unwrap().is_allowed());
    }
    assert!(passed <= 3, "{passed} of 100");
}

#[tokio::test]
async fn what_was_charged_by_the_last_quota_of_all_is_given_back_to_it() {
    let (store, _) = room_for(1);
    let limiter = policy(&store, "guesses", 2);
    for number in 0..2_u32 {
        let _ = limiter.check(number).await.unwrap();
    }
    for number in 2..52_u32 {
        let decision = limiter.check(number).await.unwrap();
        assert!(decision.is_allowed() && decision.is_shared());
        let _ = limiter.refund(number, decision).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_local_store_limits_new_visitors() {
    let (local, _) = room_for(1);
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let local = FailMode::local(local).unwrap();
    let layer = RateLimitLayer::new(policy(&failing, "test", 2), KeyBy::peer());
    let app = App::new(layer.with_fail_mode(local));
    for peer in ["192.0.2.1", "192.0.2.2"] {
        for status in [200, 200, 429] {
            assert_eq!(app.status(peer).await, status, "{peer}");
        }
    }
}

#[tokio::test]
async fn a_store_with_no_room_at_all_counts_as_failing() {
    for (fail_mode, status) in [(FailMode::Open, 200), (FailMode::Closed, 503)] {
        let (store, _) = room_for(0);
        let layer = RateLimitLayer::new(policy(&store, "test", 2), KeyBy::peer());
        let app = App::new(layer.with_fail_mode(fail_mode));
        assert_eq!(app.status("192.0.2.1").await, status);
    }
}

/// Operations in process never yield. That cannot starve the caller, who makes the room itself.
#[tokio::test]
async fn a_caller_that_tries_again_at_once_gets_room_as_soon_as_something_has_expired() {
    let store: Arc<dyn Store> =
        Arc::new(MokaStore::builder().with_max_keys_of(Tat::KIND, 1).build());
    let quota = Quota::new(1, Duration::from_millis(50));
    let limiter = RateLimiter::new(store, "test", quota).unwrap();
    let _ = limiter.check("first").await.unwrap();
    let started = std::time::Instant::now();
    while limiter.check("second").await.unwrap().is_shared() {
        assert!(started.elapsed() < Duration::from_secs(10), "it is starved");
    }
}

#[tokio::test]
async fn strangers_who_share_a_quota_do_not_share_a_ban() {
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, 1);
    let hour = Duration::from_secs(3_600);
    let policy = Policy::new(Quota::per_hour(1)).with_ban(Ban::after(2, hour, hour));
    let limiter = RateLimiter::new(Arc::new(store.build()), "test", policy).unwrap();
    for number in 0..50_u32 {
        let decision = limiter.check(number).await.unwrap();
        assert_eq!(decision.is_shared(), number > 0);
        assert_ne!(decision.reason(), Some(Reason::Ban), "{number}");
    }
    // A visitor with a record of its own is banned for its own refusals.
    for reason in [Reason::Quota, Reason::Ban] {
        assert_eq!(limiter.check(0_u32).await.unwrap().reason(), Some(reason));
    }
}
