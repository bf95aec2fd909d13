//! How long a request waits for the fetch of another request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fixture::{Broken, Fixture, HOUR, full, request, response, settle};

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, Broken>>;

/// Lets the origin hold the next request until the sender is used or dropped.
fn held(fixture: &Fixture) -> oneshot::Sender<()> {
    let (go, wait) = oneshot::channel();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            let _ = wait.await;
            Ok(response(200, &[HOUR], full("one")))
        })
    });
    go
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stalls_is_abandoned_after_the_wait_timeout() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let _never = held(&fixture);
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
async fn a_wait_of_any_length_ends_with_the_fetch_and_causes_no_panic() {
    let fixture = Arc::new(Fixture::with(|builder| {
        builder.with_wait_timeout(Duration::MAX)
    }));
    let go = held(&fixture);
    let asking = [fixture.clone(), fixture.clone()];
    let visitors =
        asking.map(|fixture| tokio::spawn(async move { fixture.get("/").await.text().to_owned() }));
    settle().await;
    go.send(()).unwrap();
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap(), "one");
    }
    assert_eq!(fixture.origin.count(), 1);
}

/// Answers the next request with headers, and a body that the test sends.
fn streamed(fixture: &Fixture) -> Frames {
    let (frames, mut receiver) = mpsc::unbounded_channel();
    let body = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let body = StreamBody::new(body).boxed_unsync();
    fixture.origin.then_response(response(200, &[HOUR], body));
    frames
}

fn data(text: &'static str) -> Result<Frame<Bytes>, Broken> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// Sends a request in its own task, which returns the time until the first byte.
fn first_byte(fixture: &Arc<Fixture>) -> JoinHandle<Duration> {
    let (fixture, begun) = (fixture.clone(), Instant::now());
    tokio::spawn(async move {
        let opened = fixture.open(request(Method::GET, "/", &[])).await;
        opened.into_body().frame().await.unwrap().unwrap();
        begun.elapsed()
    })
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_slow_body_are_forwarded_after_one_wait() {
    let fixture = Arc::new(Fixture::new());
    let mut bodies = Vec::new();
    for _ in 0..6 {
        let frames = streamed(&fixture);
        frames.send(data("first byte")).unwrap();
        bodies.push(frames);
    }
    let leader = first_byte(&fixture);
    settle().await;
    let waiting: Vec<_> = (0..5).map(|_| first_byte(&fixture)).collect();
    assert_eq!(leader.await.unwrap(), Duration::ZERO);
    for visitor in waiting {
        assert_eq!(visitor.await.unwrap(), Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_after_the_page_is_stored_whoever_fetched_it() {
    let fixture = Arc::new(Fixture::new());
    let first = streamed(&fixture);
    first.send(data("one")).unwrap();
    let leader = first_byte(&fixture);
    settle().await;
    let second = streamed(&fixture);
    let released = first_byte(&fixture);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(fixture.origin.count(), 2);
    // These wait for the second fetch.
    let late: Vec<_> = (0..3).map(|_| first_byte(&fixture)).collect();
    settle().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(first);
    for visitor in late {
        assert_eq!(visitor.await.unwrap(), Duration::from_secs(1));
    }
    assert_eq!(fixture.origin.count(), 2);
    second.send(data("one")).unwrap();
    leader.await.unwrap();
    released.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_background_validation_that_hangs_is_abandoned_and_another_one_begins() {
    let fixture = Fixture::new();
    let fields = [("cache-control", "max-age=10, stale-while-revalidate=86400")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(20);
    let _never = held(&fixture);
    assert_eq!(fixture.get("/").await.text(), "one");
    settle().await;
    assert_eq!(fixture.origin.count(), 2);
    fixture.origin.then(200, &[HOUR], "two");
    fixture.later(60);
    tokio::time::sleep(Duration::from_secs(60)).await;
    settle().await;
    // An origin that hangs is left alone for a moment.
    assert_eq!(fixture.get("/").await.text(), "one");
    settle().await;
    assert_eq!(fixture.origin.count(), 2);
    fixture.later(2);
    assert_eq!(fixture.get("/").await.text(), "one");
    settle().await;
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(fixture.origin.count(), 3);
}

fn panics<T>() -> T {
    panic!("a test asked for this")
}

#[tokio::test(start_paused = true)]
async fn a_background_validation_that_panics_is_not_repeated_for_each_request() {
    let fixture = Fixture::new();
    let said = ("cache-control", "max-age=10, stale-while-revalidate=86400");
    fixture.origin.then(200, &[said], "one");
    fixture.get("/").await;
    let body = StreamBody::new(futures_util::stream::once(async { panics() })).boxed_unsync();
    fixture
        .origin
        .then_with(|_| Box::pin(async { panics() }))
        .then_response(response(200, &[said], body));
    for count in [2, 3] {
        fixture.later(20);
        for _ in 0..10 {
            assert_eq!(fixture.get("/").await.text(), "one");
            settle().await;
        }
        assert_eq!(fixture.origin.count(), count);
    }
}
