//! The `detail` of `Cache-Status`: why a response is not stored (RFC 9211, 2.8).

use bytes::Bytes;
use futures_util::FutureExt;
use http::Method;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full, StreamBody};

use crate::fixture::{Body, Broken, HOUR, request, response};

/// Makes a body of these frames, which are all ready.
fn ready(frames: Vec<Result<Frame<Bytes>, Broken>>) -> Body {
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

fn data(text: &'static str) -> Result<Frame<Bytes>, Broken> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn every_response_that_is_not_stored_says_why() {
    let fixture = super::fixture_with(|builder| builder.with_max_body(100)).await;
    let long = "a".repeat(101);
    for (at, (fields, why)) in [
        (&[][..], "useless"),
        (&[("cache-control", "max-age=10"), ("age", "20")], "useless"),
        (&[("cache-control", "max-age=10, no-cache")], "useless"),
        (&[HOUR, ("vary", "cookie")], "vary"),
        (&[HOUR, ("vary", "*")], "vary"),
        (&[HOUR, ("set-cookie", "a=b")], "set-cookie"),
        (&[HOUR, ("cache-control", "private")], "private"),
        (&[HOUR, ("cache-control", "no-store")], "no-store"),
        (&[HOUR, ("content-type", "text/event-stream")], "stream"),
        (&[HOUR, ("content-length", "101")], "too-large"),
        (&[HOUR, ("content-length", "x")], "content-length"),
        (&[HOUR, ("content-length", "9")], "incomplete"),
        (&[HOUR, ("cache-tag", &long.repeat(3))], "tags"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{at}");
        fixture.origin.then(200, fields, "one");
        let answered = fixture.get(&path).await;
        let said = format!("larder; fwd=uri-miss; fwd-status=200; detail={why}");
        assert_eq!(answered.field("cache-status"), said, "{fields:?}");
        assert_eq!(answered.text(), "one", "{fields:?}");
        assert!(!fixture.get(&path).await.is_hit(), "{fields:?}");
    }
    for (method, why) in [
        (Method::HEAD, "fwd=uri-miss; fwd-status=200; detail=method"),
        (Method::POST, "fwd=method; fwd-status=200; detail=method"),
        (Method::OPTIONS, "fwd=method; fwd-status=200; detail=method"),
    ] {
        fixture.origin.then(200, &[HOUR], "");
        let answered = fixture.send(request(method, "/", &[])).await.unwrap();
        assert_eq!(answered.field("cache-status"), format!("larder; {why}"));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_stored_is_never_called_stored() {
    let trailers = || Ok(Frame::trailers(http::HeaderMap::new()));
    let fixture = super::fixture_with(|builder| builder.with_max_body(5)).await;
    for (path, frames, why) in [
        ("/a", vec![data("one"), data("two"), data("three")], "too-large"),
        ("/b", vec![data("one"), trailers()], "trailers"),
        ("/c", vec![data("one"), Err(Broken)], "incomplete"),
    ] {
        let answer = response(200, &[HOUR], ready(frames));
        fixture.origin.then_response(answer);
        let opened = fixture.open(request(Method::GET, path, &[])).await;
        let said = format!("larder; fwd=uri-miss; fwd-status=200; detail={why}");
        assert_eq!(opened.headers()["cache-status"], said.as_str());
        drop(opened);
        assert!(!fixture.get(path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_ready_is_stored_and_sent_with_its_headers_and_its_length() {
    let fixture = super::fixture().await;
    let whole = Full::new(Bytes::from_static(b"onetwo"));
    let whole = whole.map_err(|never| match never {}).boxed_unsync();
    for (path, body) in [("/a", whole), ("/b", ready(vec![data("one"), data("two")]))] {
        fixture.origin.then_response(response(200, &[HOUR], body));
        let opened = fixture.open(request(Method::GET, path, &[])).await;
        let said = "larder; fwd=uri-miss; fwd-status=200; stored";
        assert_eq!(opened.headers()["cache-status"], said);
        let mut body = opened.into_body();
        assert_eq!(body.size_hint().exact(), Some(6), "{path}");
        let frame = body.frame().now_or_never().flatten();
        let frame = frame.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, "onetwo", "{path}");
        assert!(body.is_end_stream());
        assert!(fixture.get(path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn a_response_whose_body_has_not_ended_is_not_called_stored() {
    let fixture = super::fixture().await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let body = StreamBody::new(frames).boxed_unsync();
    sender.send(data("one")).unwrap();
    fixture.origin.then_response(response(200, &[HOUR], body));
    let opened = fixture.open(request(Method::GET, "/", &[])).await;
    let said = "larder; fwd=uri-miss; fwd-status=200; detail=streaming";
    assert_eq!(opened.headers()["cache-status"], said);
    let mut body = opened.into_body();
    // The first frame is ready, so it is sent with the headers.
    let frame = body.frame().now_or_never().flatten();
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "one");
    sender.send(data("two")).unwrap();
    drop(sender);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
    assert_eq!(fixture.get("/").await.text(), "onetwo");
    assert!(fixture.get("/").await.is_hit());
}

#[tokio::test]
async fn a_get_with_a_wrapped_empty_body_is_cached() {
    let fixture = super::fixture().await;
    let wrapped = || {
        // `Content-Length: 0` means that there is no content, whatever the body says.
        let mut get = request(Method::GET, "/", &[]);
        get.headers_mut().insert("content-length", "0".parse().unwrap());
        get
    };
    fixture.origin.then(200, &[HOUR], "one");
    fixture.send(wrapped()).await.unwrap();
    assert!(fixture.send(wrapped()).await.unwrap().is_hit());
}
