//! Responses of the response cache, with their variants and tags.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use larder_moka::MokaStore;
use larder_response_cache::ResponseCacheLayer;
use tower::{Layer, ServiceExt, service_fn};

use super::{Frame, Mutating, Outcome, Target, reading, runtime};

const BODY: &str =
    "Metropolis, in the version of 1927, which is longer than it was for ninety years";

/// A page whose stored bytes are changed before each read. It is never kept near.
pub(super) fn responses(frame: Frame) -> Target {
    let runtime = runtime();
    let store = Arc::new(Mutating::new(Arc::new(MokaStore::new()), frame));
    let films = service_fn(|_: Request<Full<Bytes>>| async {
        let response = Response::builder()
            .header("cache-control", "max-age=60, stale-while-revalidate=600")
            .header("etag", "\"1927\"")
            .header("vary", "accept-language")
            .header("cache-tag", "films, lang");
        Ok::<_, Infallible>(
            response
                .body(Full::<Bytes>::from(BODY))
                .expect("a response"),
        )
    });
    let layer = ResponseCacheLayer::builder(store.clone()).with_max_near_bytes(1);
    let films = layer.build().expect("a layer").layer(films);
    Box::new(move |random| {
        store.draw_from(random);
        let language = ["de", "fr", "en"][random.usize(..3)];
        let request = Request::get("/films")
            .header("host", "cinema.example")
            .header("accept-language", language);
        let request = request.body(Full::default()).expect("a request");
        reading(|| {
            runtime.block_on(async {
                let Ok(response) = films.clone().oneshot(request).await;
                let (head, body) = response.into_parts();
                let status = head.headers.get("cache-status");
                let is_hit = status.is_some_and(|status| {
                    let mut parts = status.as_bytes().split(|byte| *byte == b';');
                    parts.any(|part| part.trim_ascii() == b"hit")
                });
                let Ok(body) = body.collect().await;
                let is_whole = head.status == StatusCode::OK && body.to_bytes() == BODY;
                match (is_hit, frame) {
                    (true, Frame::Damaged) if is_whole => Outcome::Value,
                    (true, Frame::Damaged) => Outcome::Wrong,
                    // Whoever forges a checksum chooses the response.
                    (true, Frame::Resealed) => Outcome::Value,
                    (false, _) if is_whole => Outcome::Refused,
                    (false, _) => Outcome::Failed,
                }
            })
        })
    })
}
