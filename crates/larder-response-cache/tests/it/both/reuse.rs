//! Which stored responses are served, and for how long (RFC 9111, 4).

use http::{Method, StatusCode};

use crate::fixture::{HOUR, request};

#[tokio::test]
async fn a_fresh_response_is_served_with_its_age_until_it_is_stale() {
    let fixture = super::fixture().await;
    fixture
        .origin
        .then(200, &[HOUR], "one")
        .then(200, &[HOUR], "two");
    let first = fixture.get("/").await;
    assert_eq!((first.text(), first.is_hit()), ("one", false));
    assert_eq!(
        first.field("cache-status"),
        "larder; fwd=uri-miss; fwd-status=200; stored"
    );
    fixture.later(3599);
    let second = fixture.get("/").await;
    assert_eq!((second.text(), second.field("age")), ("one", "3599"));
    assert_eq!(second.field("cache-status"), "larder; hit; ttl=1");
    fixture.later(1);
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test]
async fn a_response_comes_back_from_the_store_after_a_restart() {
    let fixture = super::fixture().await;
    fixture
        .origin
        .then(203, &[HOUR, ("x", "1"), ("x", "2"), ("age", "7")], "one");
    fixture.get("/").await;
    let restarted = fixture.sibling();
    fixture.later(5);
    let found = restarted.get("/").await;
    assert_eq!(
        (found.status.as_u16(), found.text(), found.field("age")),
        (203, "one", "12")
    );
    assert_eq!(found.headers.get_all("x").iter().count(), 2);
    assert!(found.is_hit() && restarted.origin.count() == 0);
}

#[tokio::test]
async fn every_uri_host_and_query_has_its_own_response() {
    let fixture = super::fixture().await;
    for path in ["/", "/?a", "/?a=1", "/a", "/A", "/a/", "//", "/%61"] {
        fixture.origin.then(200, &[HOUR], "x");
        assert!(!fixture.get(path).await.is_hit(), "{path}");
        assert!(fixture.get(path).await.is_hit(), "{path}");
    }
    let other = [("host", "other.example")];
    assert!(!fixture.get_with("/", &other).await.is_hit());
}

#[tokio::test]
async fn a_response_with_no_store_is_fetched_each_time() {
    let fixture = super::fixture().await;
    for fields in [
        &[][..],
        &[HOUR, ("cache-control", "no-store")],
        &[HOUR, ("cache-control", "private")],
        &[("cache-control", "max-age=0")],
        &[HOUR, ("vary", "*")],
        &[HOUR, ("content-type", "application/grpc")],
    ] {
        for _ in 0..2 {
            fixture.origin.then(200, fields, "x");
            assert!(!fixture.get("/").await.is_hit(), "{fields:?}");
        }
    }
    assert_eq!(fixture.origin.count(), 12);
}

#[tokio::test]
async fn a_head_is_served_from_a_stored_get_and_never_stored() {
    let fixture = super::fixture().await;
    let head = || request(Method::HEAD, "/", &[]);
    fixture.origin.then(200, &[HOUR], "");
    fixture.send(head()).await.unwrap();
    fixture.origin.then(200, &[HOUR], "one");
    assert_eq!(fixture.get("/").await.text(), "one");
    let answered = fixture.send(head()).await.unwrap();
    assert!(answered.is_hit() && answered.body.is_empty());
    assert_eq!(answered.field("content-length"), "3");
}

#[tokio::test]
async fn a_request_with_a_body_or_for_a_stream_bypasses_the_cache() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    let with_body = request(Method::GET, "/", &[]).map(|_| "fat".into());
    assert_eq!(fixture.send(with_body).await.unwrap().text(), "unscripted");
    for (field, why) in [
        (("accept", "text/event-stream"), "event-stream"),
        (("upgrade", "websocket"), "upgrade"),
        (("connection", "Upgrade"), "connection"),
        (("cache-control", "no-store"), "no-store"),
        (("if-match", "\"a\""), "precondition"),
        (("host", "a/b"), "target-uri"),
        (("x-http-method-override", "DELETE"), "method-override"),
        (("x-original-url", "/admin"), "method-override"),
        (("content-length", "3"), "request-body"),
        (("transfer-encoding", "chunked"), "request-body"),
    ] {
        let answered = fixture.get_with("/", &[field]).await;
        assert_eq!(answered.text(), "unscripted", "{field:?}");
        let said = format!("larder; fwd=bypass; fwd-status=200; detail={why}");
        assert_eq!(answered.field("cache-status"), said, "{field:?}");
    }
    let grpc = [("content-type", "application/grpc")];
    let answered = fixture.get_with("/", &grpc).await;
    assert_eq!((answered.text(), answered.field("cache-status")), ("unscripted", ""));
}

#[tokio::test]
async fn a_request_may_ask_for_a_fresher_response() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    fixture.later(10);
    for asked in ["no-cache", "max-age=5", "min-fresh=3599"] {
        fixture
            .origin
            .then(200, &[("cache-control", "no-store")], "two");
        let answered = fixture.get_with("/", &[("cache-control", asked)]).await;
        assert_eq!(answered.text(), "two");
        assert!(answered.field("cache-status").contains("fwd=request"));
    }
    assert_eq!(fixture.get("/").await.text(), "one");
}

#[tokio::test]
async fn only_if_cached_is_answered_without_the_origin() {
    let fixture = super::fixture().await;
    let only = [("cache-control", "only-if-cached")];
    let missing = fixture.get_with("/", &only).await;
    assert_eq!(missing.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(fixture.origin.count(), 0);
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    assert_eq!(fixture.get_with("/", &only).await.text(), "one");
}

#[tokio::test]
async fn a_hit_copies_no_body() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    let (one, two) = (fixture.get("/").await, fixture.get("/").await);
    assert_eq!(one.body.as_ptr(), two.body.as_ptr());
}

#[tokio::test]
async fn connection_headers_are_not_stored_and_a_date_is_added() {
    let fixture = super::fixture().await;
    let fields = [
        HOUR,
        ("connection", "a"),
        ("a", "1"),
        ("keep-alive", "x"),
        ("b", "2"),
    ];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    let date = fixture.date(0);
    fixture.later(60);
    let hit = fixture.get("/").await;
    assert!(hit.is_hit());
    for (name, value) in [
        ("a", ""),
        ("connection", ""),
        ("keep-alive", ""),
        ("b", "2"),
    ] {
        assert_eq!(hit.field(name), value);
    }
    assert_eq!(hit.field("date"), date);
}

#[tokio::test]
async fn a_hit_has_a_new_age_every_second() {
    let fixture = super::fixture().await;
    fixture
        .origin
        .then(200, &[HOUR, ("cache-status", "origin; hit")], "one");
    fixture.get("/").await;
    for age in 0..3 {
        for _ in 0..2 {
            let hit = fixture.get("/").await;
            assert_eq!(hit.field("age"), age.to_string());
            let status: Vec<_> = hit.headers.get_all("cache-status").iter().collect();
            assert_eq!(status[0], "origin; hit");
            assert_eq!(status[1], &format!("larder; hit; ttl={}", 3600 - age));
        }
        fixture.later(1);
    }
}
