//! What happens while the store fails.

use std::time::Duration;

use larder_rate_limit::{KeyBy, OnFailure, Quota, RateLimitLayer};
use larder_store::ErrorKind;
use tokio::time::Instant;

use crate::support::{App, FULL, Mood, Moody, from, limiter, lines, model};

fn app(store: &Moody, on_failure: OnFailure) -> App {
    let limiter = limiter(store.store(), Quota::per_hour(2));
    App::new(RateLimitLayer::new(limiter, KeyBy::peer()).with_on_failure(on_failure))
}

const FAILURES: [Mood; 4] = [
    Mood::Fails(ErrorKind::NotSent),
    Mood::Fails(ErrorKind::MayHaveRun),
    Mood::Fails(FULL),
    Mood::Hangs,
];

#[tokio::test(start_paused = true)]
async fn open_lets_everything_pass_uncounted_until_the_store_is_back() {
    for mood in FAILURES {
        let store = Moody::new(mood);
        let app = app(&store, OnFailure::default());
        for _ in 0..5 {
            let response = app.send(from("192.0.2.1")).await;
            assert_eq!(response.status(), 200, "{mood:?}");
            assert_eq!(lines(response.headers(), "ratelimit"), [""; 0]);
        }
        store.becomes(Mood::Now);
        let statuses = [
            app.status("192.0.2.1").await,
            app.status("192.0.2.1").await,
            app.status("192.0.2.1").await,
        ];
        assert_eq!(statuses, [200, 200, 429], "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_refuses_everything_until_the_store_is_back() {
    for mood in FAILURES {
        let store = Moody::new(mood);
        let app = app(&store, OnFailure::Closed);
        assert_eq!(app.status("192.0.2.1").await, 503, "{mood:?}");
        store.becomes(Mood::Now);
        assert_eq!(app.status("192.0.2.1").await, 200, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn local_limits_in_this_process_until_the_store_is_back() {
    for mood in FAILURES {
        let store = Moody::new(mood);
        let (local, _) = model();
        let app = app(&store, OnFailure::local(local).unwrap());
        for (status, limit) in [(200, r#""test";r=1;t=1800"#), (200, r#""test";r=0;t=1800"#)] {
            let response = app.send(from("192.0.2.1")).await;
            assert_eq!(response.status(), status, "{mood:?}");
            assert_eq!(lines(response.headers(), "ratelimit"), [limit]);
        }
        assert_eq!(app.status("192.0.2.1").await, 429, "{mood:?}");
        assert_eq!(app.status("192.0.2.2").await, 200, "{mood:?}");
        store.becomes(Mood::Now);
        assert_eq!(app.status("192.0.2.1").await, 200, "{mood:?}");
    }
}

#[test]
fn a_store_that_waits_is_no_local_store() {
    let error = OnFailure::local(Moody::new(Mood::Hangs).store()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("answers without waiting"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_store_costs_the_timeout_and_no_more() {
    let store = Moody::new(Mood::Hangs);
    let started = Instant::now();
    app(&store, OnFailure::Open).send(from("192.0.2.1")).await;
    assert_eq!(started.elapsed(), RateLimitLayer::DEFAULT_TIMEOUT);

    let limiter = limiter(store.store(), Quota::per_hour(2));
    let quick = RateLimitLayer::new(limiter, KeyBy::peer()).with_timeout(Duration::from_millis(20));
    let started = Instant::now();
    App::new(quick).send(from("192.0.2.1")).await;
    assert_eq!(started.elapsed(), Duration::from_millis(20));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_but_in_time_is_waited_for() {
    let store = Moody::new(Mood::After(Duration::from_millis(249)));
    let app = app(&store, OnFailure::Closed);
    assert_eq!(app.status("192.0.2.1").await, 200);
    store.becomes(Mood::After(Duration::from_millis(251)));
    assert_eq!(app.status("192.0.2.1").await, 503);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_no_time_or_of_all_time_is_held_between_its_bounds() {
    for (timeout, held) in [
        (Duration::ZERO, RateLimitLayer::MIN_TIMEOUT),
        (Duration::from_nanos(1), RateLimitLayer::MIN_TIMEOUT),
        (Duration::MAX, RateLimitLayer::MAX_TIMEOUT),
    ] {
        let limiter = limiter(Moody::new(Mood::Hangs).store(), Quota::per_hour(2));
        let layer = RateLimitLayer::new(limiter, KeyBy::peer()).with_timeout(timeout);
        let started = Instant::now();
        assert_eq!(App::new(layer).status("192.0.2.1").await, 200);
        assert_eq!(started.elapsed(), held, "{timeout:?}");
    }
}
