//! Bodies that stream.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::fixture::{Body, Broken, HOUR, request, response};

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, Broken>>;

/// A body that the test sends frame by frame.
fn stream() -> (Frames, Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, StreamBody::new(frames).boxed_unsync())
}

fn data(text: &'static str) -> Result<Frame<Bytes>, Broken> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

async fn next(body: &mut larder_response_cache::ResponseCacheBody<Body>) -> Option<Bytes> {
    let frame = tokio::time::timeout(Duration::from_secs(5), body.frame()).await;
    frame.unwrap()?.unwrap().into_data().ok()
}

#[tokio::test]
async fn the_first_byte_of_any_body_comes_at_once() {
    for fields in [
        &[HOUR][..],
        &[],
        &[HOUR, ("content-type", "text/event-stream")],
    ] {
        let fixture = super::fixture().await;
        let (frames, body) = stream();
        fixture.origin.then_response(response(200, fields, body));
        let mut body = fixture
            .open(request(Method::GET, "/", &[]))
            .await
            .into_body();
        for text in ["one", "two"] {
            frames.send(data(text)).unwrap();
            assert_eq!(next(&mut body).await.unwrap(), text);
        }
        drop(frames);
        assert_eq!(next(&mut body).await, None);
        let hit = fixture.get("/").await;
        assert_eq!(hit.is_hit(), fields == [HOUR]);
        if hit.is_hit() {
            assert_eq!((hit.text(), hit.field("content-length")), ("onetwo", "6"));
        }
    }
}

#[tokio::test]
async fn a_body_past_the_cap_is_streamed_and_not_stored() {
    let fixture = super::fixture_with(|builder| builder.with_max_body(5)).await;
    let (frames, body) = stream();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let mut body = fixture
        .open(request(Method::GET, "/", &[]))
        .await
        .into_body();
    for text in ["one", "two", "three", "four"] {
        frames.send(data(text)).unwrap();
        assert_eq!(next(&mut body).await.unwrap(), text);
    }
    drop(frames);
    assert_eq!(next(&mut body).await, None);
    assert!(!fixture.get("/").await.is_hit());

    fixture.origin.then(200, &[HOUR], "said to be too long");
    assert_eq!(fixture.get("/b").await.text(), "said to be too long");
    assert!(!fixture.get("/b").await.is_hit());
}

#[tokio::test]
async fn a_truncated_body_is_never_stored() {
    let fixture = super::fixture().await;
    let (frames, body) = stream();
    fixture
        .origin
        .then_response(response(200, &[HOUR, ("content-length", "9")], body));
    frames.send(data("one")).unwrap();
    drop(frames);
    assert_eq!(fixture.get("/").await.text(), "one");
    assert!(!fixture.get("/").await.is_hit());

    let (frames, body) = stream();
    fixture.origin.then_response(response(200, &[HOUR], body));
    frames.send(data("one")).unwrap();
    frames.send(Err(Broken)).unwrap();
    assert_eq!(
        fixture
            .send(request(Method::GET, "/b", &[]))
            .await
            .unwrap_err(),
        Broken
    );
    assert!(!fixture.get("/b").await.is_hit());
}

#[tokio::test]
async fn a_response_with_trailers_arrives_and_is_not_stored() {
    let fixture = super::fixture().await;
    let (frames, body) = stream();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let mut trailers = HeaderMap::new();
    trailers.append("x", "1".parse().unwrap());
    frames.send(data("one")).unwrap();
    frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    drop(frames);
    let body = fixture
        .open(request(Method::GET, "/", &[]))
        .await
        .into_body();
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert!(!fixture.get("/").await.is_hit());
}

#[tokio::test]
async fn a_body_that_panics_while_it_is_stored_does_not_end_as_if_it_were_whole() {
    let fixture = super::fixture().await;
    let (frames, mut receiver) = mpsc::unbounded_channel::<Option<&'static str>>();
    let body = futures_util::stream::poll_fn(move |cx| {
        let text = receiver.poll_recv(cx);
        text.map(|text| text.map(|text| data(text.expect("the body panics"))))
    });
    let body = StreamBody::new(body).boxed_unsync();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let opened = fixture.open(request(Method::GET, "/", &[])).await;
    let mut body = opened.into_body();
    frames.send(Some("one")).unwrap();
    assert_eq!(next(&mut body).await.unwrap(), "one");
    frames.send(None).unwrap();
    let rest = tokio::spawn(async move { body.frame().await.is_none() });
    assert!(rest.await.unwrap_err().is_panic());
    assert!(!fixture.get("/").await.is_hit());
}

#[test]
fn a_body_whose_runtime_ends_while_it_is_stored_does_not_end_as_if_it_were_whole() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().build().unwrap()
    };
    let (readers, origins) = (runtime(), runtime());
    let (frames, body) = stream();
    let mut body = origins.block_on(async {
        let fixture = super::fixture().await;
        fixture.origin.then_response(response(200, &[HOUR], body));
        frames.send(data("one")).unwrap();
        let opened = fixture.open(request(Method::GET, "/", &[])).await;
        opened.into_body()
    });
    assert_eq!(readers.block_on(next(&mut body)).unwrap(), "one");
    drop(origins);
    let rest = readers.spawn(async move { body.frame().await.is_none() });
    assert!(readers.block_on(rest).unwrap_err().is_panic());
}

#[tokio::test]
async fn a_client_that_disconnects_leaves_the_response_to_others() {
    let fixture = super::fixture().await;
    let (frames, body) = stream();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let response = fixture.open(request(Method::GET, "/", &[])).await;
    frames.send(data("one")).unwrap();
    let (waiting, ()) = tokio::join!(fixture.get("/"), async {
        tokio::task::yield_now().await;
        drop(response);
        frames.send(data("two")).unwrap();
        drop(frames);
    });
    assert_eq!((waiting.text(), fixture.origin.count()), ("onetwo", 1));
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_no_other() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    let _unread = fixture.open(request(Method::GET, "/", &[])).await;
    assert_eq!(fixture.get("/").await.text(), "one");
    assert_eq!(fixture.origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_rounds_a_client_that_disconnects_halfway_spoils_no_stored_body() {
    let fixture = super::fixture().await;
    for round in 0..1_000 {
        let path = format!("/{round}");
        let (frames, body) = stream();
        fixture.origin.then_response(response(200, &[HOUR], body));
        let answered = fixture.open(request(Method::GET, &path, &[])).await;
        let sending = tokio::spawn(async move {
            for text in ["one", "two", "three"] {
                let _ = frames.send(data(text));
                tokio::task::yield_now().await;
            }
        });
        let mut body = answered.into_body();
        for _ in 0..round % 4 {
            next(&mut body).await;
        }
        drop(body);
        sending.await.unwrap();
        let whole = fixture.get(&path).await;
        assert_eq!(whole.text(), "onetwothree", "round {round}");
    }
    assert_eq!(fixture.origin.count(), 1_000);
}
