//! The limit on the bytes of bodies that are being stored.

use bytes::Bytes;
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::fixture::{Body, Broken, Fixture, HOUR, request, response, until};

type Opened = http::Response<larder_response_cache::ResponseCacheBody<Body>>;

/// Makes a body of chunks of six bytes, which are ready, and a channel that shows which were read.
fn counted(chunks: usize) -> (mpsc::UnboundedReceiver<()>, Body) {
    let (read, was_read) = mpsc::unbounded_channel();
    let frames = (0..chunks).map(move |_| {
        let _ = read.send(());
        Ok::<_, Broken>(Frame::data(Bytes::from_static(b"onetwo")))
    });
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    (was_read, body)
}

async fn open(fixture: &Fixture, path: &str, chunks: usize) -> (usize, Opened) {
    let (was_read, body) = counted(chunks);
    fixture.origin.then_response(response(200, &[HOUR], body));
    let opened = fixture.open(request(Method::GET, path, &[])).await;
    (was_read.len(), opened)
}

fn says(opened: &Opened, text: &str) -> bool {
    let said = opened.headers()["cache-status"].to_str().unwrap();
    said.ends_with(text)
}

#[tokio::test]
async fn the_bytes_held_for_all_recordings_are_bounded_and_other_bodies_stream() {
    let limits = |builder: larder_response_cache::ResponseCacheBuilder| {
        builder.with_max_body(60).with_max_recording(60)
    };
    let fixture = Fixture::with(limits);
    let (_, slow) = open(&fixture, "/slow", 8).await;
    assert!(says(&slow, "; stored"));
    let mut held = 0;
    for number in 0..50 {
        let (read, opened) = open(&fixture, &format!("/{number}"), 8).await;
        assert!(says(&opened, "; detail=recording-limit"));
        held += read;
        let whole = opened.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), 48);
    }
    // Two chunks of each body fit, and one more was read.
    assert_eq!(held, 50 * 3);
    let body = slow.into_body().collect().await.unwrap().to_bytes();
    drop(body);
    let (_, next) = open(&fixture, "/next", 8).await;
    assert!(says(&next, "; stored"));
    assert!(fixture.get("/slow").await.is_hit() && fixture.get("/next").await.is_hit());
}

#[tokio::test]
async fn bytes_that_a_slow_client_has_not_read_count_until_it_reads_them() {
    let limits = |builder: larder_response_cache::ResponseCacheBuilder| {
        builder.with_max_body(12).with_max_recording(12)
    };
    let fixture = Fixture::with(limits);
    let (frames, mut receiver) = mpsc::unbounded_channel();
    let body = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let body = StreamBody::new(body).boxed_unsync();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let slow = fixture.open(request(Method::GET, "/slow", &[])).await;
    let chunk = || Ok(Frame::data(Bytes::from_static(b"onetwo")));
    for _ in 0..2 {
        frames.send(chunk()).unwrap();
    }
    drop(frames);
    assert!(!fixture.get("/slow").await.body.is_empty());
    let (_, other) = open(&fixture, "/other", 1).await;
    assert!(says(&other, "; detail=recording-limit"));
    drop(other);
    let whole = slow.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(whole, "onetwoonetwo");
    drop(whole);
    until(|| fixture.origin.count() == 2).await;
    let (_, after) = open(&fixture, "/after", 1).await;
    assert!(says(&after, "; stored"));
}

#[tokio::test]
async fn frames_without_content_are_not_held() {
    let fixture = Fixture::new();
    let empty = std::iter::repeat_with(|| Ok::<_, Broken>(Frame::data(Bytes::new())));
    let one = Ok(Frame::data(Bytes::from_static(b"one")));
    let frames = empty.take(100).chain([one]);
    let frames = futures_util::StreamExt::chain(
        futures_util::stream::iter(frames),
        futures_util::stream::pending(),
    );
    let body = StreamBody::new(frames).boxed_unsync();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let mut opened = fixture.open(request(Method::GET, "/", &[])).await;
    let frame = opened.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "one");
}
