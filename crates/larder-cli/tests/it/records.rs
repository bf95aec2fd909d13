//! Limits and locks.

use std::net::IpAddr;
use std::time::Duration;

use larder::rate_limit::{Quota, RateLimiter};
use larder::structures::lock::{Lock, Order};

use crate::support::{larder, run, server};

#[tokio::test]
async fn a_limit_is_shown_and_reset_for_one_visitor_or_for_all() {
    let (server, store) = server().await;
    let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_hour(2)).unwrap();
    let other = RateLimiter::new(store, "pages2", Quota::per_hour(2)).unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let (one, two) = (address("203.0.113.7"), address("2001:db8::7"));
    for visitor in [one, one, two] {
        limiter.check(visitor).await.unwrap();
        other.check(visitor).await.unwrap();
    }
    let url = server.url();
    let shown = larder(&url, "limit show pages --json").await.json();
    assert_eq!(shown.as_array().unwrap().len(), 2);
    let shown = larder(&url, "limit show pages 203.0.113.7").await.ok();
    assert!(shown.out.contains("in 59 min"), "{shown:?}");

    assert!(!limiter.peek(one).await.unwrap().is_allowed());
    let asked = run(&url, &["limit", "reset", "pages", "203.0.113.7"], "n\n").await;
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(!limiter.peek(one).await.unwrap().is_allowed());
    larder(&url, "limit reset pages 203.0.113.7 --yes")
        .await
        .ok();
    assert!(limiter.peek(one).await.unwrap().is_allowed());

    // A whole key names a visitor as well, whatever its id is made of.
    let key = limiter.key(two);
    let words = ["limit", "reset", "pages", key.as_str(), "--yes", "--json"];
    assert_eq!(run(&url, &words, "").await.json()["done"], 1);
    let done = larder(&url, "limit reset pages --all --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 0);
    let done = larder(&url, "limit reset pages2 --all --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 2, "another policy was not touched");
}

#[tokio::test]
async fn a_lock_is_listed_and_broken_and_its_holder_learns_of_it() {
    let (server, store) = server().await;
    let url = server.url();
    let lock = Lock::new(store, ("report", 7_u32))
        .unwrap()
        .with_order(Order::Fifo);
    let guard = lock.lock(Duration::from_secs(5)).await.unwrap().unwrap();
    let token = guard.token().as_u64();
    let shown = larder(&url, "lock ls --json").await.json();
    assert_eq!(
        (&shown[0]["lock"], &shown[0]["token"]),
        (&"report:7".into(), &token.into())
    );
    assert!(shown[0]["lease_ends"].as_str().unwrap().starts_with("in "));

    let words = ["lock", "break", "lock:{report:7}"];
    let asked = run(&url, &words, "\n").await;
    assert_eq!(
        (asked.code, asked.err.contains("from 1 holders")),
        (1, true),
        "{asked:?}"
    );
    assert_eq!(run(&url, &words, "yes\n").await.code, 0);
    let next = lock.try_lock().await.unwrap().unwrap();
    assert!(next.token().as_u64() > token, "the token still rises");
    assert_eq!(
        guard.release().await.unwrap(),
        larder::structures::lock::Released::AlreadyLost
    );
    drop(next);
    let free = larder(&url, "lock break nobody").await;
    assert_eq!(
        (free.code, free.out.contains("nobody holds")),
        (1, true),
        "{free:?}"
    );
}
