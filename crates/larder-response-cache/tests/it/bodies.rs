//! Bodies of every kind arrive unchanged, and their `Cache-Status` is true.

use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;

use crate::fixture::{Body, Broken, Fixture, HOUR, request, response};

const MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Trailers,
    Broken,
}

/// The shape of a body: the lengths of its frames, whether it is pending before each, and its end.
#[derive(Clone, Debug)]
struct Shape {
    frames: Vec<(bool, usize)>,
    end: (bool, End),
    /// By how much `Content-Length` is wrong. None if there is no such header.
    length: Option<usize>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let end = prop_oneof![3 => Just(End::Clean), 1 => Just(End::Trailers), 1 => Just(End::Broken)];
    let length = prop_oneof![2 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(3))];
    let waits = || prop_oneof![2 => Just(false), 1 => Just(true)];
    let frames = proptest::collection::vec((waits(), 0..7_usize), 0..6);
    (frames, (waits(), end), length).prop_map(|(frames, end, length)| Shape {
        frames,
        end,
        length,
    })
}

impl Shape {
    fn text(&self) -> String {
        let length = self.frames.iter().map(|(_, length)| length).sum();
        "abcdefghij".chars().cycle().take(length).collect()
    }

    fn body(&self) -> Body {
        let mut text = Bytes::from(self.text());
        let mut steps: Vec<_> = self
            .frames
            .iter()
            .map(|&(waits, length)| (waits, Some(Ok(Frame::data(text.split_to(length))))))
            .collect();
        steps.push(match self.end {
            (waits, End::Clean) => (waits, None),
            (waits, End::Trailers) => (waits, Some(Ok(Frame::trailers(HeaderMap::new())))),
            (waits, End::Broken) => (waits, Some(Err(Broken))),
        });
        let mut steps = steps.into_iter();
        let mut next = steps.next();
        let frames = futures_util::stream::poll_fn(move |cx| match &mut next {
            None => Poll::Ready(None),
            Some((waits, _)) if *waits => {
                *waits = false;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some((_, frame)) => {
                let frame = frame.take();
                next = steps.next();
                Poll::Ready(frame)
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Returns whether it may be stored.
    fn is_sound(&self) -> bool {
        self.end.1 == End::Clean && self.text().len() <= MAX && self.length.unwrap_or(0) == 0
    }
}

async fn check(shape: Shape) {
    let fixture = Fixture::with(|builder| builder.with_max_body(MAX));
    let text = shape.text();
    let length = shape.length.map(|off| (text.len() + off).to_string());
    let mut fields = vec![HOUR];
    fields.extend(length.as_deref().map(|length| ("content-length", length)));
    let answer = response(200, &fields, shape.body());
    fixture.origin.then_response(answer);

    let opened = fixture.open(request(Method::GET, "/", &[])).await;
    let said = opened.headers()["cache-status"]
        .to_str()
        .unwrap()
        .to_owned();
    let hint = opened.body().size_hint();
    let mut body = opened.into_body();
    let (mut read, mut is_broken, mut has_trailers) = (Vec::new(), false, false);
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => read.extend_from_slice(&data),
            Ok(Err(_)) => has_trailers = true,
            Err(Broken) => {
                is_broken = true;
                break;
            }
        }
    }
    drop(body);
    assert_eq!(read, text.as_bytes());
    assert_eq!(is_broken, shape.end.1 == End::Broken);
    assert_eq!(has_trailers, shape.end.1 == End::Trailers);
    assert!(hint.exact().is_none_or(|exact| exact == text.len() as u64));

    let is_stored = said.ends_with("; stored");
    assert!(is_stored || said.contains("; detail="), "{said}");
    let next = fixture.get("/").await;
    assert_eq!(next.is_hit(), shape.is_sound(), "{said}");
    if is_stored {
        assert!(next.is_hit());
    } else if next.is_hit() {
        assert!(said.ends_with("detail=streaming"), "{said}");
    }
    if next.is_hit() {
        assert_eq!(next.text(), text);
    }
}

proptest! {
    #[test]
    fn every_body_arrives_unchanged_and_its_cache_status_is_true(shape in shape()) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(check(shape));
    }
}
