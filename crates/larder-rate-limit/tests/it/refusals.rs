//! Refusals, byte for byte.

use std::time::Duration;

use larder_rate_limit::{Decision, FailMode, KeyBy, Quota, RateLimitLayer};
use larder_store::ErrorKind;

use crate::support::{App, Behavior, ScriptedStore, from, limiter, lines, model, with};

#[tokio::test]
async fn a_visitor_past_its_quota_gets_problem_details() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_minute(1));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    app.send(from("192.0.2.1")).await;
    let refused = app.send(from("192.0.2.1")).await;

    assert_eq!(refused.status(), 429);
    assert_eq!(
        lines(refused.headers(), "content-type"),
        ["application/problem+json"]
    );
    assert_eq!(lines(refused.headers(), "cache-control"), ["no-store"]);
    assert_eq!(lines(refused.headers(), "retry-after"), ["60"]);
    assert_eq!(
        refused.body(),
        concat!(
            r#"{"status":429,"#,
            r#""title":"Request cannot be satisfied as assigned quota has been exceeded","#,
            r#""type":"https://iana.org/assignments/http-problem-types#quota-exceeded","#,
            r#""violated-policies":["test"]}"#
        )
    );
}

#[tokio::test]
async fn a_failing_store_that_is_declared_closed_gives_problem_details() {
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let limiter = limiter(failing.store(), Quota::per_minute(1));
    let layer = RateLimitLayer::new(limiter, KeyBy::peer()).with_fail_mode(FailMode::Closed);
    let refused = App::new(layer).send(from("192.0.2.1")).await;

    assert_eq!(refused.status(), 503);
    assert_eq!(
        lines(refused.headers(), "content-type"),
        ["application/problem+json"]
    );
    assert_eq!(lines(refused.headers(), "cache-control"), ["no-store"]);
    assert_eq!(lines(refused.headers(), "retry-after"), ["1"]);
    assert_eq!(lines(refused.headers(), "ratelimit"), [""; 0]);
    assert_eq!(
        refused.body(),
        concat!(
            r#"{"status":503,"#,
            r#""title":"Request cannot be satisfied due to temporary server capacity constraints","#,
            r#""type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","#,
            r#""violated-policies":["test"]}"#
        )
    );
}

#[tokio::test]
async fn retry_after_is_rounded_up_and_never_zero() {
    let (store, clock) = model();
    let limiter = limiter(store, Quota::new(1, Duration::from_millis(2_000)));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    app.send(from("192.0.2.1")).await;
    for (micros, seconds) in [(0, "2"), (999_999, "2"), (1, "1"), (999_999, "1")] {
        clock.advance_micros(micros);
        let refused = app.send(from("192.0.2.1")).await;
        assert_eq!(lines(refused.headers(), "retry-after"), [seconds]);
    }
}

#[tokio::test]
async fn an_outer_layer_finds_the_decision_of_a_refusal() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_minute(1));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    app.send(from("192.0.2.1")).await;
    let refused = app.send(from("192.0.2.1")).await;
    let decision = refused.extensions().get::<Decision>().unwrap();
    assert_eq!(decision.retry_after(), Duration::from_secs(60));
}

#[tokio::test]
async fn a_grpc_client_past_its_quota_gets_resource_exhausted() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_minute(1));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    app.send(from("192.0.2.1")).await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc; charset=utf-8",
    ] {
        let request = with(from("192.0.2.1"), "content-type", content_type);
        let refused = app.send(request).await;
        assert_eq!(refused.status(), 200, "{content_type}");
        let headers = refused.headers();
        assert_eq!(lines(headers, "content-type"), ["application/grpc"]);
        assert_eq!(lines(headers, "grpc-status"), ["8"]);
        assert_eq!(lines(headers, "grpc-message"), ["the quota is used up"]);
        assert_eq!(lines(headers, "cache-control"), ["no-store"]);
        assert_eq!(lines(headers, "retry-after"), ["60"]);
        assert_eq!(lines(headers, "ratelimit"), [r#""test";r=0;t=60"#]);
        assert!(refused.body().is_empty());
        assert!(refused.extensions().get::<Decision>().is_some());
    }
    for content_type in ["application/grpc-web", "application/json"] {
        let request = with(from("192.0.2.1"), "content-type", content_type);
        let refused = app.send(request).await;
        assert_eq!(refused.status(), 429, "{content_type}");
        assert_eq!(lines(refused.headers(), "grpc-status"), [""; 0]);
    }
}

#[tokio::test]
async fn a_grpc_client_is_told_the_same_by_a_store_that_takes_a_while() {
    let store = ScriptedStore::new(Behavior::After(Duration::from_micros(1))).store();
    let limiter = limiter(store, Quota::per_hour(1));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    app.send(from("192.0.2.1")).await;
    let request = with(from("192.0.2.1"), "content-type", "application/grpc");
    let refused = app.send(request).await;
    assert_eq!(refused.status(), 200);
    assert_eq!(lines(refused.headers(), "grpc-status"), ["8"]);
}

#[tokio::test]
async fn a_grpc_client_of_a_closed_limit_gets_unavailable() {
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let limiter = limiter(failing.store(), Quota::per_minute(1));
    let layer = RateLimitLayer::new(limiter, KeyBy::peer()).with_fail_mode(FailMode::Closed);
    let request = with(from("192.0.2.1"), "content-type", "application/grpc");
    let refused = App::new(layer).send(request).await;

    assert_eq!(refused.status(), 200);
    assert_eq!(lines(refused.headers(), "grpc-status"), ["14"]);
    assert_eq!(lines(refused.headers(), "retry-after"), ["1"]);
    assert!(refused.body().is_empty());
}
