//! What the layer adds to responses.

use std::time::Duration;

use http_body::Body;
use larder_rate_limit::{Headers, KeyBy, LegacyReset, Quota, RateLimitLayer, RateLimiter};
use tower::{Layer, ServiceExt};

use crate::support::{App, Behavior, ScriptedStore, from, hello, limiter, lines, model};

#[tokio::test]
async fn the_fields_count_down_and_come_back() {
    let (store, clock) = model();
    let limiter = limiter(store, Quota::per_minute(3));
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    for (wait, status, limit) in [
        (0, 200, r#""test";r=2;t=20"#),
        (0, 200, r#""test";r=1;t=20"#),
        (0, 200, r#""test";r=0;t=20"#),
        (0, 429, r#""test";r=0;t=20"#),
        (19_500, 429, r#""test";r=0;t=1"#),
        (500, 200, r#""test";r=0;t=20"#),
        (60_000, 200, r#""test";r=2;t=20"#),
    ] {
        clock.advance(Duration::from_millis(wait));
        let response = app.send(from("192.0.2.1")).await;
        assert_eq!(response.status(), status);
        assert_eq!(lines(response.headers(), "ratelimit"), [limit]);
        assert_eq!(
            lines(response.headers(), "ratelimit-policy"),
            [r#""test";q=3;w=60"#]
        );
    }
}

#[tokio::test]
async fn the_fields_list_the_limits_of_two_layers() {
    let (store, _) = model();
    let layer = |name: &str, limit: u32| {
        let limiter = RateLimiter::new(store.clone(), name, Quota::per_hour(limit)).unwrap();
        RateLimitLayer::new(limiter, KeyBy::peer())
    };
    let service = layer("outer", 9).layer(layer("inner", 1).layer(hello()));

    let response = service.clone().oneshot(from("192.0.2.1")).await.unwrap();
    assert_eq!(
        lines(response.headers(), "ratelimit-policy"),
        [r#""inner";q=1;w=3600"#, r#""outer";q=9;w=3600"#]
    );
    assert_eq!(
        lines(response.headers(), "ratelimit"),
        [r#""inner";r=0;t=3600"#, r#""outer";r=8;t=400"#]
    );

    let response = service.oneshot(from("192.0.2.1")).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(lines(response.headers(), "retry-after"), ["3600"]);
    assert_eq!(lines(response.headers(), "ratelimit").len(), 2);
}

#[tokio::test]
async fn no_fields_are_sent_if_none_are_declared() {
    for (headers, waits) in [(Headers::RetryAfter, &["3600"][..]), (Headers::None, &[])] {
        let (store, _) = model();
        let limiter = limiter(store, Quota::per_hour(1));
        let layer = RateLimitLayer::new(limiter, KeyBy::peer()).with_headers(headers);
        let app = App::new(layer);
        assert!(app.send(from("192.0.2.1")).await.headers().is_empty());
        let refused = app.send(from("192.0.2.1")).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(lines(refused.headers(), "retry-after"), waits);
        assert!(!refused.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn legacy_fields_describe_the_limit_with_least_left() {
    let (store, _) = model();
    let layer = |name: &str, limit: u32| {
        let limiter = RateLimiter::new(store.clone(), name, Quota::per_hour(limit)).unwrap();
        RateLimitLayer::new(limiter, KeyBy::peer())
            .with_headers(Headers::Legacy(LegacyReset::Seconds))
    };
    for (outer, inner) in [(2, 9), (9, 2)] {
        let service = layer(&format!("outer-{outer}"), outer)
            .layer(layer(&format!("inner-{inner}"), inner).layer(hello()));
        for (left, reset) in [("1", "1800"), ("0", "3600"), ("0", "3600")] {
            let response = service.clone().oneshot(from("192.0.2.1")).await.unwrap();
            for (name, value) in [
                ("x-ratelimit-limit", "2"),
                ("x-ratelimit-remaining", left),
                ("x-ratelimit-reset", reset),
            ] {
                assert_eq!(lines(response.headers(), name), [value], "{name}");
            }
            assert!(!response.headers().contains_key("ratelimit"));
            let is_refused = response.status() == 429;
            assert_eq!(response.headers().contains_key("retry-after"), is_refused);
        }
    }
}

#[tokio::test]
async fn a_legacy_reset_can_be_a_moment() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let layer = RateLimitLayer::new(limiter, KeyBy::peer())
        .with_headers(Headers::Legacy(LegacyReset::Epoch));
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    };
    let before = now();
    let response = App::new(layer).send(from("192.0.2.1")).await;
    let reset: u64 = lines(response.headers(), "x-ratelimit-reset")[0]
        .parse()
        .unwrap();
    assert!((before + 3_600..=now() + 3_601).contains(&reset), "{reset}");
}

#[tokio::test]
async fn a_retry_after_with_jitter_is_never_too_early_and_not_always_the_same() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let layer =
        RateLimitLayer::new(limiter, KeyBy::peer()).with_retry_jitter(Duration::from_secs(600));
    let app = App::new(layer);
    app.send(from("192.0.2.1")).await;
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let refused = app.send(from("192.0.2.1")).await;
        let wait: u64 = lines(refused.headers(), "retry-after")[0].parse().unwrap();
        assert!((3_600..=4_200).contains(&wait), "{wait}");
        assert_eq!(
            lines(refused.headers(), "ratelimit"),
            [r#""test";r=0;t=3600"#]
        );
        waits.insert(wait);
    }
    assert!(waits.len() > 10, "{waits:?}");
}

#[tokio::test]
async fn a_store_that_waits_gives_the_same_responses() {
    for behavior in [Behavior::Now, Behavior::After(Duration::from_millis(2))] {
        let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(1));
        let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
        let passed = app.send(from("192.0.2.1")).await;
        assert_eq!(
            (passed.status().as_u16(), &passed.body()[..]),
            (200, &b"hello"[..])
        );
        assert_eq!(
            lines(passed.headers(), "ratelimit"),
            [r#""test";r=0;t=3600"#]
        );
        assert_eq!(app.status("192.0.2.1").await, 429);
    }
}

#[tokio::test]
async fn the_inner_body_keeps_its_length() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let service = RateLimitLayer::new(limiter, KeyBy::peer()).layer(hello());
    let passed = service.clone().oneshot(from("192.0.2.1")).await.unwrap();
    assert_eq!(passed.body().size_hint().exact(), Some(5));
    assert!(!passed.body().is_end_stream());
    let refused = service.oneshot(from("192.0.2.1")).await.unwrap();
    assert!(refused.body().size_hint().exact().unwrap() > 100);
    assert!(!refused.body().is_end_stream());
}
