//! What happens while the store fails.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use larder_rate_limit::{
    Decision, FailMode, KeyBy, Limit, LocalStore, Policy, Quota, RateLimitLayer, RateLimiter, Rule,
    Window,
};
use larder_store::ErrorKind;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    App, Behavior, FULL, ScriptedStore, from, hello, limiter, lines, model, with,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn app(store: &ScriptedStore, fail_mode: FailMode) -> App {
    let limiter = limiter(store.store(), Quota::per_hour(2));
    App::new(RateLimitLayer::new(limiter, KeyBy::peer()).with_fail_mode(fail_mode))
}

const FAILURES: [Behavior; 4] = [
    Behavior::Fails(ErrorKind::NotSent),
    Behavior::Fails(ErrorKind::MayHaveRun),
    Behavior::Fails(FULL),
    Behavior::Hangs,
];

#[tokio::test(start_paused = true)]
async fn open_lets_everything_pass_uncounted_until_the_store_is_back() {
    for behavior in FAILURES {
        let store = ScriptedStore::new(behavior);
        let app = app(&store, FailMode::default());
        for _ in 0..5 {
            let response = app.send(from("192.0.2.1")).await;
            assert_eq!(response.status(), 200, "{behavior:?}");
            assert_eq!(lines(response.headers(), "ratelimit"), [""; 0]);
        }
        store.set(Behavior::Now);
        let statuses = [
            app.status("192.0.2.1").await,
            app.status("192.0.2.1").await,
            app.status("192.0.2.1").await,
        ];
        assert_eq!(statuses, [200, 200, 429], "{behavior:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_refuses_everything_until_the_store_is_back() {
    for behavior in FAILURES {
        let store = ScriptedStore::new(behavior);
        let app = app(&store, FailMode::Closed);
        assert_eq!(app.status("192.0.2.1").await, 503, "{behavior:?}");
        store.set(Behavior::Now);
        assert_eq!(app.status("192.0.2.1").await, 200, "{behavior:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn local_limits_in_this_process_until_the_store_is_back() {
    for behavior in FAILURES {
        let store = ScriptedStore::new(behavior);
        let (local, _) = model();
        let app = app(&store, FailMode::local(local).unwrap());
        for (status, limit) in [(200, r#""test";r=1;t=1800"#), (200, r#""test";r=0;t=1800"#)] {
            let response = app.send(from("192.0.2.1")).await;
            assert_eq!(response.status(), status, "{behavior:?}");
            assert_eq!(lines(response.headers(), "ratelimit"), [limit]);
        }
        assert_eq!(app.status("192.0.2.1").await, 429, "{behavior:?}");
        assert_eq!(app.status("192.0.2.2").await, 200, "{behavior:?}");
        store.set(Behavior::Now);
        assert_eq!(app.status("192.0.2.1").await, 200, "{behavior:?}");
    }
}

#[tokio::test]
async fn each_of_several_processes_grants_its_share_while_the_store_fails() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    for (quota, processes, granted) in [(6, 3, 2), (7, 3, 2), (6, 1, 6), (2, 100, 1)] {
        let local = LocalStore::new(model().0).unwrap();
        let local = local.with_share_of(NonZeroU32::new(processes).unwrap());
        let limiter = limiter(store.store(), Quota::per_hour(quota));
        let layer = RateLimitLayer::new(limiter, KeyBy::peer());
        let app = App::new(layer.with_fail_mode(FailMode::Local(local)));
        let mut passed = 0;
        for _ in 0..10 {
            passed += u32::from(app.status("192.0.2.1").await == 200);
        }
        assert_eq!(passed, granted, "{quota} by {processes}");
    }
}

#[tokio::test]
async fn a_process_with_a_share_of_the_quota_says_when_the_next_unit_of_its_share_comes_back() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let four = NonZeroU32::new(4).unwrap();
    let local = LocalStore::new(model().0).unwrap().with_share_of(four);
    let limiter = limiter(store.store(), Quota::per_hour(12));
    let layer = RateLimitLayer::new(limiter.clone(), KeyBy::peer())
        .with_fail_mode(FailMode::Local(local))
        .with_refund_if(|head| head.headers.contains_key("x-right"));
    let app = App::around(layer.layer(service_fn(async |request: Request<()>| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, std::convert::Infallible>(response)
    })));
    for (name, status, left) in [
        ("x-wrong", 200, r#""test";r=2;t=1200"#),
        // A refund is counted by the share, too.
        ("x-right", 200, r#""test";r=2;t=1200"#),
        ("x-wrong", 200, r#""test";r=1;t=1200"#),
        ("x-wrong", 200, r#""test";r=0;t=1200"#),
        ("x-wrong", 429, r#""test";r=0;t=1200"#),
    ] {
        let response = app.send(with(from("192.0.2.1"), name, "yes")).await;
        assert_eq!(response.status(), status);
        assert_eq!(lines(response.headers(), "ratelimit"), [left], "{name}");
        if status == 429 {
            assert_eq!(lines(response.headers(), "retry-after"), ["1200"]);
            let decision = response.extensions().get::<Decision>().unwrap();
            assert_eq!(limiter.until_more(decision), HOUR / 3);
        }
    }
}

#[tokio::test]
async fn the_local_limit_that_makes_a_client_wait_longest_answers_wherever_it_stands() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let limit = |name: &str, seconds| {
        let quota = Quota::new(1, Duration::from_secs(seconds));
        let limiter = RateLimiter::new(store.clone(), name, quota).unwrap();
        Limit::new(limiter, KeyBy::peer())
    };
    for seconds in [[60, 3_600], [3_600, 60]] {
        let layer = RateLimitLayer::of(limit("first", seconds[0]));
        let layer = layer.and(limit("second", seconds[1]));
        let fail_mode = FailMode::local(model().0).unwrap();
        let app = App::new(layer.with_fail_mode(fail_mode));
        assert_eq!(app.status("192.0.2.1").await, 200);
        let refused = app.send(from("192.0.2.1")).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(lines(refused.headers(), "retry-after"), ["3600"]);
    }
}

#[tokio::test(start_paused = true)]
async fn local_holds_places_and_reservations_in_this_process_until_the_store_is_back() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let limiter = |name: &str, policy: Policy| {
        let limiter = RateLimiter::new(store.store(), name, policy).unwrap();
        Limit::new(limiter, KeyBy::everybody())
    };
    let places = Policy::new(Rule::concurrency(2, HOUR)).and(Quota::per_hour(9));
    let tokens = Policy::new(Quota::per_hour(100)).with_reservations(HOUR);
    let last = Policy::new(Rule::fixed_window(3, Window::from_first(HOUR / 60)));
    let service = RateLimitLayer::of(limiter("places", places))
        .and(limiter("tokens", tokens).with_cost_by(|_| 10))
        .and(limiter("last", last))
        .with_settled_cost(|_| Some(4))
        .with_fail_mode(FailMode::local(model().0).unwrap())
        .layer(hello());
    let send = async || service.clone().oneshot(from("192.0.2.1")).await.unwrap();
    let left = |response: &Response<_>| lines(response.headers(), "ratelimit").join(", ");
    let (first, second) = (send().await, send().await);
    for (response, left_of) in [(&first, ["r=1", "r=96"]), (&second, ["r=0", "r=92"])] {
        assert_eq!(response.status(), 200);
        for units in left_of {
            assert!(left(response).contains(units), "{}", left(response));
        }
    }
    let refused = send().await;
    assert_eq!(refused.status(), 429);
    assert!(
        left(&refused).starts_with(r#""places";r=0"#),
        "{}",
        left(&refused)
    );
    drop(first);
    // The refused request was charged to no limit, so the window has one more.
    let third = send().await;
    assert_eq!(third.status(), 200);
    drop(third);
    // The other limits give back all of a request that the window refuses, or they would make it wait longer.
    for _ in 0..20 {
        let refused = send().await;
        assert!(
            left(&refused).starts_with(r#""last";r=0"#),
            "{}",
            left(&refused)
        );
    }
    store.set(Behavior::Now);
    assert_eq!(send().await.status(), 200);
}

#[test]
fn a_store_that_waits_is_refused_as_a_local_store() {
    let error = FailMode::local(ScriptedStore::new(Behavior::Hangs).store()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("answers without waiting"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_store_costs_the_timeout_and_no_more() {
    let store = ScriptedStore::new(Behavior::Hangs);
    let started = Instant::now();
    app(&store, FailMode::Open).send(from("192.0.2.1")).await;
    assert_eq!(started.elapsed(), RateLimitLayer::DEFAULT_TIMEOUT);

    let limiter = limiter(store.store(), Quota::per_hour(2));
    let quick =
        RateLimitLayer::new(limiter, KeyBy::peer()).with_store_timeout(Duration::from_millis(20));
    let started = Instant::now();
    App::new(quick).send(from("192.0.2.1")).await;
    assert_eq!(started.elapsed(), Duration::from_millis(20));

    // Limits in shadow mode that hold a place are asked concurrently, after those that count.
    let places = |name: &str| {
        let limiter = RateLimiter::new(store.store(), name, Rule::concurrency(1, HOUR)).unwrap();
        Limit::new(limiter, KeyBy::peer()).with_shadow_mode()
    };
    let watching = RateLimitLayer::of(places("one")).and(places("two"));
    let started = Instant::now();
    App::new(watching).send(from("192.0.2.1")).await;
    assert_eq!(started.elapsed(), RateLimitLayer::DEFAULT_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_but_in_time_is_waited_for() {
    let store = ScriptedStore::new(Behavior::After(Duration::from_millis(249)));
    let app = app(&store, FailMode::Closed);
    assert_eq!(app.status("192.0.2.1").await, 200);
    store.set(Behavior::After(Duration::from_millis(251)));
    assert_eq!(app.status("192.0.2.1").await, 503);
}
