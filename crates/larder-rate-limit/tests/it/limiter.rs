//! The limiter without tower.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{KeyBy, Quota, RateLimiter, Tat};
use larder_store::{ErrorKind, Namespace, Prefixed};

use crate::support::{limiter, model};

#[tokio::test]
async fn the_next_one_passes_after_retry_after_and_not_a_microsecond_before() {
    let (store, clock) = model();
    let limiter = limiter(store, Quota::per_second(3));
    for _ in 0..3 {
        assert!(limiter.check("ada").await.unwrap().is_allowed());
    }
    let refused = limiter.check("ada").await.unwrap();
    assert!(!refused.is_allowed());
    let wait = i64::try_from(refused.retry_after().as_micros()).unwrap();

    clock.advance_micros(wait - 1);
    let again = limiter.check("ada").await.unwrap();
    assert_eq!(
        (again.is_allowed(), again.retry_after()),
        (false, Duration::from_micros(1))
    );
    clock.advance_micros(1);
    assert!(limiter.check("ada").await.unwrap().is_allowed());
    assert!(!limiter.check("ada").await.unwrap().is_allowed());
}

#[tokio::test]
async fn each_future_can_be_spawned() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let spawned = limiter.clone();
    let decision = tokio::spawn(async move { spawned.check("ada").await });
    let decision = decision.await.unwrap().unwrap();
    let spawned = limiter.clone();
    let refund = tokio::spawn(async move { spawned.refund("ada".to_owned(), decision).await });
    assert_eq!(refund.await.unwrap().unwrap().remaining(), 1);
    let spawned = limiter.clone();
    let peek = tokio::spawn(async move { spawned.peek(("ada", 1_u32)).await });
    assert_eq!(peek.await.unwrap().unwrap().remaining(), 1);
    let key = tokio::spawn(async move {
        let (head, ()) = http::Request::new(()).into_parts();
        let own = KeyBy::from_async_fn(async |_: &http::request::Parts| None::<u8>);
        own.or(KeyBy::everybody()).key(&limiter, &head).await
    });
    assert!(key.await.unwrap().is_some());
}

#[tokio::test]
async fn hammering_postpones_nothing() {
    let (store, clock) = model();
    let limiter = limiter(store, Quota::per_minute(1));
    let _ = limiter.check("ada").await.unwrap();
    for _ in 0..5_999 {
        clock.advance(Duration::from_millis(10));
        assert!(!limiter.check("ada").await.unwrap().is_allowed());
    }
    clock.advance(Duration::from_millis(10));
    assert!(limiter.check("ada").await.unwrap().is_allowed());
}

#[tokio::test]
async fn visitors_and_policies_are_apart() {
    let (store, _) = model();
    let quota = Quota::per_hour(1);
    let pages = RateLimiter::new(store.clone(), "pages", quota).unwrap();
    let search = RateLimiter::new(store, "search", quota).unwrap();
    for limiter in [&pages, &search] {
        for visitor in ["ada", "grace"] {
            assert!(limiter.check(visitor).await.unwrap().is_allowed());
            assert!(!limiter.check(visitor).await.unwrap().is_allowed());
        }
    }
}

#[tokio::test]
async fn apps_of_two_namespaces_are_apart() {
    let (store, _) = model();
    for app in ["one", "two"] {
        let space = Namespace::new("test", app).unwrap();
        let store = Arc::new(Prefixed::new(space, store.clone()));
        let limiter = limiter(store, Quota::per_hour(1));
        assert!(limiter.check("ada").await.unwrap().is_allowed());
        assert!(!limiter.check("ada").await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn a_peek_charges_nothing() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(2));
    for _ in 0..10 {
        assert_eq!(limiter.peek("ada").await.unwrap().remaining(), 2);
    }
    assert_eq!(limiter.check("ada").await.unwrap().remaining(), 1);
    assert_eq!(limiter.peek("ada").await.unwrap().remaining(), 1);
}

#[tokio::test]
async fn limiters_of_one_policy_share_the_visitor_whatever_they_cost() {
    let (store, _) = model();
    let page = limiter(store, Quota::per_hour(10));
    let search = page.clone().with_cost(4).unwrap();
    assert_eq!(search.check("ada").await.unwrap().remaining(), 6);
    assert_eq!(page.check("ada").await.unwrap().remaining(), 5);
    assert_eq!(search.check("ada").await.unwrap().remaining(), 1);
    let refused = search.check("ada").await.unwrap();
    assert_eq!((refused.is_allowed(), refused.remaining()), (false, 1));
    assert!(page.check("ada").await.unwrap().is_allowed());
}

#[tokio::test]
async fn the_record_can_be_inspected_and_is_gone_when_its_tat_is_past() {
    let (store, clock) = model();
    let programs = store.clone().programs().unwrap();
    let limiter = limiter(store, Quota::per_second(2));
    let key = limiter.key("ada");
    assert!(
        programs
            .inspect::<Tat>(&key)
            .await
            .unwrap()
            .fields()
            .is_empty()
    );

    let _ = limiter.check("ada").await.unwrap();
    let tat = 1_767_225_600_500_000_i64.to_string();
    let held = programs.inspect::<Tat>(&key).await.unwrap();
    assert_eq!(held.fields(), [("tat_us".to_owned(), tat)]);

    clock.advance(Duration::from_millis(500));
    assert!(
        programs
            .inspect::<Tat>(&key)
            .await
            .unwrap()
            .fields()
            .is_empty()
    );
}

#[test]
fn an_invalid_limiter_is_an_error_that_says_what_is_allowed() {
    let (store, _) = model();
    let quota = Quota::per_second(2);
    for name in ["", "Pages", "a b", "a:b", "\u{e9}", &"a".repeat(33)] {
        let error = RateLimiter::new(store.clone(), name, quota).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("1 to 32 of a-z"), "{error}");
    }
    for (wrong, expected) in [
        (Quota::per_minute(0), "Quota::per_minute(100)"),
        (Quota::per_minute(5).with_burst(0), "with_burst(20)"),
        (Quota::new(5, Duration::ZERO), "between 1 µs and 100 years"),
    ] {
        let error = RateLimiter::new(store.clone(), "pages", wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    }
    for (cost, expected) in [(0, "at least 1"), (3, "at most the burst")] {
        let limiter = limiter(store.clone(), quota);
        let error = limiter.with_cost(cost).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
