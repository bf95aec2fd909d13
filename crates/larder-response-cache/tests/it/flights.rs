//! Requests for the same response at the same time.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, HOUR, full, response};

/// Lets the next request wait until it is told to go on.
fn held(fixture: &Fixture, fields: &'static [(&str, &str)]) -> oneshot::Sender<()> {
    let (go, wait) = oneshot::channel();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            let _ = wait.await;
            Ok(response(200, fields, full("one")))
        })
    });
    go
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_at_once_are_one_call() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let go = held(&fixture, &[HOUR]);
    let mut visitors = JoinSet::new();
    for _ in 0..100 {
        let fixture = fixture.clone();
        visitors.spawn(async move { fixture.get("/").await });
    }
    settle().await;
    go.send(()).unwrap();
    let answers = visitors.join_all().await;
    assert!(answers.iter().all(|answer| answer.text() == "one"));
    let collapsed = answers
        .iter()
        .filter(|answer| answer.field("cache-status").contains("collapsed"));
    assert_eq!((collapsed.count(), fixture.origin.count()), (99, 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_shared_is_fetched_side_by_side_and_nobody_queues_for_it_again() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let go = held(&fixture, &[("cache-control", "private")]);
    let mut visitors = JoinSet::new();
    for _ in 0..10 {
        let fixture = fixture.clone();
        visitors.spawn(async move { fixture.get("/").await });
    }
    settle().await;
    assert_eq!(fixture.origin.count(), 1);
    go.send(()).unwrap();
    visitors.join_all().await;
    assert_eq!(fixture.origin.count(), 10);

    let _first = held(&fixture, &[]);
    let _second = held(&fixture, &[]);
    let (one, two) = (fixture.clone(), fixture.clone());
    tokio::spawn(async move { one.get("/").await });
    tokio::spawn(async move { two.get("/").await });
    settle().await;
    assert_eq!(fixture.origin.count(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_goes_away_strands_nobody() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let _never = held(&fixture, &[HOUR]);
    let leader = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/").await }
    });
    settle().await;
    let follower = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/").await }
    });
    settle().await;
    fixture.origin.then(200, &[HOUR], "two");
    leader.abort();
    assert_eq!(follower.await.unwrap().text(), "two");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stalls_is_given_up_after_a_while() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let _never = held(&fixture, &[HOUR]);
    let leader = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/").await }
    });
    settle().await;
    fixture.origin.then(200, &[HOUR], "two");
    let begun = tokio::time::Instant::now();
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert!(fixture.get("/").await.is_hit());
    leader.abort();
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_is_served_while_one_request_validates_it() {
    let fixture = std::sync::Arc::new(Fixture::new());
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
    settle().await;
    assert_eq!(fixture.origin.count(), 2);
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
    go.send(()).unwrap();
    settle().await;
    assert_eq!(
        fixture.get("/").await.field("cache-status"),
        "larder; hit; ttl=3600"
    );
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn past_its_window_nothing_stale_is_served() {
    let fixture = Fixture::new();
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

#[tokio::test(start_paused = true)]
async fn different_variants_do_not_wait_for_each_other() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let vary = ("vary", "x");
    fixture.origin.then(200, &[HOUR, vary], "zero");
    fixture.get_with("/", &[("x", "0")]).await;
    let _never = held(&fixture, &[HOUR]);
    let slow = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get_with("/", &[("x", "1")]).await }
    });
    settle().await;
    fixture.origin.then(200, &[HOUR, vary], "two");
    assert_eq!(fixture.get_with("/", &[("x", "2")]).await.text(), "two");
    slow.abort();
}
