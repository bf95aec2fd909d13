//! Several limits, some of whose stores are slow.

use std::time::Duration;

use larder_rate_limit::{
    FailMode, KeyBy, Limit, Limits, Network, Quota, RateLimitLayer, RateLimiter,
};
use tokio::time::Instant;

use crate::support::{App, Behavior, ScriptedStore};

const ANN: &str = "192.0.2.1";

/// A quota of so many units an hour, on a store that takes so long to answer.
fn slow(name: &str, takes: Duration, of: u32) -> RateLimiter {
    let store = ScriptedStore::new(Behavior::After(takes)).store();
    RateLimiter::new(store, name, Quota::per_hour(of)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_though_giving_back_takes_past_the_timeout() {
    for fail_mode in [FailMode::Open, FailMode::Closed] {
        let store = ScriptedStore::new(Behavior::After(Duration::from_millis(130))).store();
        let limiter = |name: &str, of| RateLimiter::new(store.clone(), name, Quota::per_hour(of));
        let (pages, search) = (limiter("pages", 9).unwrap(), limiter("search", 1).unwrap());
        let layer = RateLimitLayer::new(pages.clone(), KeyBy::peer())
            .and(Limit::new(search, KeyBy::peer()))
            .with_fail_mode(fail_mode);
        let app = App::new(layer);
        assert_eq!(app.status(ANN).await, 200);
        let begun = Instant::now();
        assert_eq!(app.status(ANN).await, 429);
        assert_eq!(begun.elapsed(), Duration::from_millis(250));
        // The charge is given back all the same.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let ann = ("ip", Network::of(ANN.parse().unwrap()));
        assert_eq!(pages.peek(ann).await.unwrap().remaining(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_though_another_store_does_not_answer() {
    let hangs = ScriptedStore::new(Behavior::Hangs).store();
    let hangs = RateLimiter::new(hangs, "hangs", Quota::per_hour(9)).unwrap();
    let search = slow("search", Duration::from_millis(1), 1);
    let ann = ("ip", Network::of(ANN.parse().unwrap()));
    assert!(search.check(ann).await.unwrap().is_allowed());
    let layer = RateLimitLayer::new(hangs, KeyBy::peer()).and(Limit::new(search, KeyBy::peer()));
    let begun = Instant::now();
    assert_eq!(App::new(layer).status(ANN).await, 429);
    assert_eq!(begun.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn several_stores_are_asked_at_once() {
    let takes = Duration::from_millis(200);
    let limiters = [("a", 9), ("b", 9), ("c", 1)].map(|(name, of)| slow(name, takes, of));
    let limits = limiters
        .iter()
        .fold(Limits::new(), |limits, limiter| limits.with(limiter, "ann"));
    for round_trips in [1, 2] {
        let begun = Instant::now();
        let _ = limits.check().await.unwrap();
        assert_eq!(begun.elapsed(), round_trips * takes);
    }
}
