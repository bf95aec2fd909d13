//! Concurrent requests for the same response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::fixture::{Answered, Body, Fixture, HOUR, full, response, until};
use crate::gate::Control;

/// Lets the origin hold the next request until the sender is used or dropped.
pub(super) fn held(fixture: &Fixture, fields: &[(&str, &str)]) -> oneshot::Sender<()> {
    held_with(fixture, response(200, fields, full("one")))
}

pub(super) fn held_with(fixture: &Fixture, answer: Response<Body>) -> oneshot::Sender<()> {
    let (go, wait) = oneshot::channel();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            let _ = wait.await;
            Ok(answer)
        })
    });
    go
}

/// Makes a fixture whose requests wait for longer than a test takes.
pub(super) async fn patient() -> (Arc<Fixture>, Control) {
    let wait = Duration::from_secs(60);
    let (fixture, control) = super::gated_with(|builder| builder.with_wait_timeout(wait)).await;
    (Arc::new(fixture), control)
}

/// Sends `count` more requests, each in its own task, and returns once they all wait for another one.
pub(super) async fn wait_too(
    fixture: &Arc<Fixture>,
    control: &Control,
    count: usize,
) -> JoinSet<Answered> {
    let mut visitors = JoinSet::new();
    for _ in 0..count {
        let fixture = fixture.clone();
        visitors.spawn(async move { fixture.get("/").await });
    }
    control.idle().await;
    visitors
}

/// Sends a request in its own task, and waits until the origin has got `count` requests.
pub(super) async fn ask(fixture: &Arc<Fixture>, count: usize) -> tokio::task::JoinHandle<String> {
    let asking = fixture.clone();
    let task = tokio::spawn(async move { asking.get("/").await.text().to_owned() });
    until(|| fixture.origin.count() == count).await;
    task
}

#[tokio::test]
async fn a_hundred_concurrent_requests_are_one_call() {
    let (fixture, control) = patient().await;
    let go = held(&fixture, &[HOUR]);
    let leader = ask(&fixture, 1).await;
    let visitors = wait_too(&fixture, &control, 99).await;
    go.send(()).unwrap();
    let answers = visitors.join_all().await;
    assert!(answers.iter().all(|answer| answer.text() == "one"));
    let is_shared = |answer: &Answered| answer.field("cache-status").contains("; collapsed");
    assert!(answers.iter().all(is_shared));
    assert_eq!(leader.await.unwrap(), "one");
    assert_eq!(fixture.origin.count(), 1);
}

#[tokio::test]
async fn responses_that_cannot_be_shared_are_fetched_concurrently_and_no_request_waits_again() {
    let trailers = [
        Ok(Frame::data(Bytes::from_static(b"one"))),
        Ok(Frame::trailers(HeaderMap::new())),
    ];
    let trailers = StreamBody::new(futures_util::stream::iter(trailers)).boxed_unsync();
    let many_tags = "a ".repeat(65);
    for answer in [
        response(200, &[("cache-control", "private")], full("one")),
        response(200, &[HOUR, ("cache-tag", &many_tags)], full("one")),
        response(200, &[HOUR], trailers),
    ] {
        let (fixture, control) = patient().await;
        let go = held_with(&fixture, answer);
        let leader = ask(&fixture, 1).await;
        let visitors = wait_too(&fixture, &control, 9).await;
        assert_eq!(fixture.origin.count(), 1);
        go.send(()).unwrap();
        visitors.join_all().await;
        leader.await.unwrap();
        assert_eq!(fixture.origin.count(), 10);

        // Neither request waits for the other.
        let _first = held(&fixture, &[]);
        let _second = held(&fixture, &[]);
        let one = ask(&fixture, 11).await;
        let two = ask(&fixture, 12).await;
        one.abort();
        two.abort();
    }
}

#[tokio::test]
async fn no_request_waits_again_for_a_response_that_varies_with_too_many_fields() {
    let (fixture, _) = patient().await;
    let ask = |x: &'static str| {
        let fixture = fixture.clone();
        async move { fixture.get_with("/", &[("x-0", x)]).await }
    };
    for (from, x) in [(0, "0"), (10, "1")] {
        let fields: Vec<_> = (from..from + 10).map(|field| format!("x-{field}")).collect();
        fixture.origin.then(200, &[HOUR, ("vary", &fields.join(", "))], "one");
        ask(x).await;
    }
    let (mut visitors, mut never) = (JoinSet::new(), Vec::new());
    for count in [3, 4] {
        never.push(held(&fixture, &[]));
        visitors.spawn(ask("1"));
        until(|| fixture.origin.count() == count).await;
    }
}

#[tokio::test]
async fn no_request_waits_again_for_a_validation_that_may_not_be_shared() {
    let (fixture, _) = patient().await;
    let modified = fixture.date(-10_000);
    fixture.origin.then(200, &[("last-modified", &modified)], "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    fixture.later(1_500);
    // With a cookie, a heuristic lifetime is not enough.
    let ask = || {
        let fixture = fixture.clone();
        async move { fixture.get_with("/", &[("cookie", "a=b")]).await }
    };
    fixture.origin.then(304, &[], "");
    assert_eq!(ask().await.text(), "one");
    let (mut visitors, mut never) = (JoinSet::new(), Vec::new());
    for count in [3, 4] {
        never.push(held(&fixture, &[]));
        visitors.spawn(ask());
        until(|| fixture.origin.count() == count).await;
    }
}

#[tokio::test]
async fn requests_wait_again_once_the_response_has_been_stored() {
    for status in [200, 304] {
        let (fixture, control) = patient().await;
        let modified = fixture.date(-10_000);
        let fields = [("last-modified", modified.as_str())];
        fixture.origin.then(200, &fields, "one");
        fixture.get("/").await;
        fixture.later(1_500);
        fixture.origin.then(304, &[], "");
        let own = fixture.get_with("/", &[("cookie", "a=b")]).await;
        assert!(own.field("cache-status").ends_with("; detail=cookie"));
        fixture.origin.then(status, &fields, "one");
        assert!(fixture.get("/").await.field("cache-status").ends_with("; stored"));
        let purger = fixture.layer.purger();
        purger.expire("http://cinema.example/").await.unwrap();
        let _never = held(&fixture, &fields);
        let _leader = ask(&fixture, 4).await;
        let _visitors = wait_too(&fixture, &control, 9).await;
        assert_eq!(fixture.origin.count(), 4, "{status}");
    }
}

#[tokio::test]
async fn requests_that_wait_while_the_origin_fails_are_served_a_stale_response_after_one_call() {
    for is_silent in [false, true] {
        let (fixture, control) = patient().await;
        let said = ("cache-control", "max-age=10, stale-if-error=600");
        fixture.origin.then(200, &[said], "stale");
        fixture.get("/").await;
        fixture.later(20);
        let (go, wait) = oneshot::channel::<()>();
        fixture.origin.then_with(move |_| {
            Box::pin(async move {
                let _ = wait.await;
                if is_silent {
                    return Err(crate::fixture::Broken);
                }
                Ok(response(503, &[], full("down")))
            })
        });
        let leader = ask(&fixture, 2).await;
        let visitors = wait_too(&fixture, &control, 99).await;
        go.send(()).unwrap();
        for answer in visitors.join_all().await {
            let status = answer.field("cache-status");
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "stale"));
            assert!(status.starts_with("larder; fwd=stale") && status.ends_with("; collapsed"));
        }
        assert_eq!(leader.await.unwrap(), "stale");
        assert_eq!(fixture.origin.count(), 2);
    }
}

#[tokio::test]
async fn a_body_that_declares_to_be_too_large_holds_up_no_request() {
    let fixture = Arc::new(super::fixture_with(|builder| builder.with_max_body(5)).await);
    // The body never ends, and only the header declares its length.
    let endless = || {
        let body = http_body_util::StreamBody::new(futures_util::stream::pending());
        let fields = [HOUR, ("content-length", "10485760")];
        response(200, &fields, http_body_util::BodyExt::boxed_unsync(body))
    };
    for _ in 0..3 {
        fixture.origin.then_response(endless());
        let opened = fixture.open(crate::fixture::request(http::Method::GET, "/", &[]));
        let opened = tokio::time::timeout(Duration::from_secs(4), opened).await.unwrap();
        let said = "larder; fwd=uri-miss; fwd-status=200; detail=too-large";
        assert_eq!(opened.headers()["cache-status"], said);
        assert_eq!(opened.headers()["content-length"], "10485760");
    }
    assert_eq!(fixture.origin.count(), 3);
}

#[tokio::test]
async fn a_leader_that_disconnects_strands_no_follower() {
    let (fixture, control) = patient().await;
    let _never = held(&fixture, &[HOUR]);
    let leader = ask(&fixture, 1).await;
    let followers = wait_too(&fixture, &control, 1).await;
    assert_eq!(fixture.origin.count(), 1);
    fixture.origin.then(200, &[HOUR], "two");
    leader.abort();
    assert_eq!(followers.join_all().await[0].text(), "two");
}

#[tokio::test]
async fn a_leader_that_stalls_strands_no_follower() {
    let wait = Duration::from_millis(50);
    let fixture = Arc::new(super::fixture_with(|builder| builder.with_wait_timeout(wait)).await);
    let _never = held(&fixture, &[HOUR]);
    let leader = ask(&fixture, 1).await;
    fixture.origin.then(200, &[HOUR], "two");
    assert_eq!(fixture.get("/").await.text(), "two");
    assert!(fixture.get("/").await.is_hit());
    leader.abort();
}

#[tokio::test]
async fn a_stale_response_is_served_while_one_request_validates_it() {
    let fixture = Arc::new(super::fixture().await);
    let fields = [
        ("cache-control", "max-age=10, stale-while-revalidate=60"),
        ("etag", "\"a\""),
    ];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(20);
    let go = held(&fixture, &[HOUR]);
    for _ in 0..10 {
        let stale = fixture.get_with("/", &[("if-none-match", "\"x\"")]).await;
        assert_eq!((stale.text(), stale.field("age")), ("one", "20"));
        assert_eq!(stale.field("cache-status"), "larder; hit; ttl=-10");
    }
    until(|| fixture.origin.count() == 2).await;
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
    go.send(()).unwrap();
    let validated = async || {
        let answered = fixture.get("/").await;
        answered.field("cache-status") == "larder; hit; ttl=3600"
    };
    while !validated().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test]
async fn past_its_window_no_stale_response_is_served() {
    let fixture = super::fixture().await;
    let fields = [
        ("cache-control", "max-age=10, stale-while-revalidate=60"),
        ("etag", "\"a\""),
    ];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(70);
    fixture.origin.then(200, &fields, "two");
    assert_eq!(fixture.get("/").await.text(), "two");
}

#[tokio::test]
async fn requests_for_different_variants_do_not_wait_for_each_other() {
    let fixture = Arc::new(super::fixture().await);
    let vary = ("vary", "x");
    fixture.origin.then(200, &[HOUR, vary], "zero");
    fixture.get_with("/", &[("x", "0")]).await;
    let _never = held(&fixture, &[HOUR]);
    let slow = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get_with("/", &[("x", "1")]).await }
    });
    until(|| fixture.origin.count() == 2).await;
    fixture.origin.then(200, &[HOUR, vary], "two");
    assert_eq!(fixture.get_with("/", &[("x", "2")]).await.text(), "two");
    slow.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_rounds_of_leaders_that_disconnect_every_request_is_answered() {
    let fixture = Arc::new(super::fixture().await);
    for round in 0..1_000 {
        for _ in 0..4 {
            fixture.origin.then_with(move |_| {
                Box::pin(async move {
                    for _ in 0..round % 7 {
                        tokio::task::yield_now().await;
                    }
                    Ok(response(200, &[HOUR], full("one")))
                })
            });
        }
        let path = format!("/{round}");
        let ask = |path: String| {
            let fixture = fixture.clone();
            async move { fixture.get(&path).await }
        };
        let leaver = tokio::spawn(ask(path.clone()));
        let mut visitors = JoinSet::new();
        for _ in 0..3 {
            visitors.spawn(ask(path.clone()));
        }
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        leaver.abort();
        let answers = tokio::time::timeout(Duration::from_secs(4), visitors.join_all()).await;
        let answers = answers.expect("nobody waits for a leader that is gone");
        assert!(answers.iter().all(|answer| answer.text() == "one"));
        assert!(fixture.get(&path).await.is_hit(), "round {round}");
        fixture.origin.drop_script();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_rounds_concurrent_requests_are_one_call() {
    let fixture = Arc::new(super::fixture().await);
    for round in 0..1_000 {
        let before = fixture.origin.count();
        for _ in 0..4 {
            fixture.origin.then(200, &[HOUR], "one");
        }
        let path = format!("/{round}");
        let mut visitors = JoinSet::new();
        for _ in 0..4 {
            let (fixture, path) = (fixture.clone(), path.clone());
            visitors.spawn(async move { fixture.get(&path).await });
        }
        let answers = visitors.join_all().await;
        assert!(answers.iter().all(|answer| answer.text() == "one"));
        assert_eq!(fixture.origin.count() - before, 1, "round {round}");
        fixture.origin.drop_script();
    }
}
