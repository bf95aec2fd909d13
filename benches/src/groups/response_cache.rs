//! What a response costs that is stored, with its body read to the end, beside the caches of others.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum_response_cache::CacheLayer;
use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::BodyExt;
use http_cache::MokaManager;
use http_cache_tower_server::ServerCacheLayer;
use larder_moka::MokaStore;
use larder_response_cache::ResponseCacheLayer;
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt};

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const KIB: usize = 1024;
const SIZES: [(&str, usize); 2] = [("1 KiB", KIB), ("1 MiB", KIB * KIB)];
const URIS: usize = 8;
const BATCH: usize = 50;
const OPERATIONS: usize = 20_000;
/// For who copies and decodes the body: each of its operations takes milliseconds.
const FEW: usize = 24;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let mut rows = Vec::new();
    for (size, bytes) in SIZES {
        let (ours, plain, other) = (ours(bytes), plain(bytes), other(bytes));
        warm(&runtime, &ours, bytes);
        warm(&runtime, &plain, bytes);
        warm(&runtime, &other, bytes);
        let hit = || hits(&runtime, &ours, bytes, OPERATIONS);
        let row = compare(
            format!("a response that is stored, {size}"),
            21,
            ("ResponseCacheLayer", Box::new(hit)),
            (
                "axum-response-cache",
                Box::new(|| hits(&runtime, &plain, bytes, OPERATIONS)),
            ),
            Bar::CostAtMost(1.0),
        );
        rows.push(row.with_note(
            "both share the body; the peer has one lifetime for all, and knows no directives, no \
             `Vary`, no `Age` and no conditions; it begins the inner call on each hit",
        ));
        let few = if bytes == KIB { OPERATIONS / 10 } else { FEW };
        let row = compare(
            format!("the same, {size}"),
            7,
            ("ResponseCacheLayer", Box::new(hit)),
            (
                "http-cache-tower-server on moka",
                Box::new(|| hits(&runtime, &other, bytes, few)),
            ),
            Bar::CostAtMost(1.0),
        );
        rows.push(row.with_note("the peer decodes the body from JSON on each hit"));
    }
    rows.push(growth(&runtime));
    rows
}

/// What the size of a body costs on a hit.
fn growth(runtime: &Runtime) -> Row {
    let [(_, small), (_, large)] = SIZES;
    let (one, other) = (ours(large), ours(small));
    warm(runtime, &one, large);
    warm(runtime, &other, small);
    compare(
        "a response that is stored: 1 MiB beside 1 KiB",
        21,
        ("1 MiB", Box::new(|| hits(runtime, &one, large, OPERATIONS))),
        (
            "1 KiB",
            Box::new(|| hits(runtime, &other, small, OPERATIONS)),
        ),
        Bar::CostAtMost(1.1),
    )
    .with_note("a hit copies no body")
}

/// A page as an app answers it.
fn origin(
    bytes: usize,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let page = Bytes::from(vec![b'x'; bytes]);
    tower::service_fn(move |_: Request<Body>| {
        let page = page.clone();
        async move {
            let response = Response::builder()
                .header("content-type", "text/html; charset=utf-8")
                .header("cache-control", "max-age=3600")
                .header("etag", "\"a1b2c3d4\"")
                .header("x-content-type-options", "nosniff")
                .body(Body::from(page));
            Ok(response.expect("a response"))
        }
    })
}

fn ours(
    bytes: usize,
) -> impl Service<Request<Body>, Response: Read, Error = Infallible, Future: Send> + Clone {
    let layer = ResponseCacheLayer::builder(Arc::new(MokaStore::new()))
        // All pages are in this process, as those of the peers are.
        .with_max_near_bytes(1024 * KIB * KIB)
        .with_near_ttl(Duration::from_secs(3600));
    layer.build().expect("a layer").layer(origin(bytes))
}

fn plain(
    bytes: usize,
) -> impl Service<Request<Body>, Response: Read, Error = Infallible, Future: Send> + Clone {
    CacheLayer::with_lifespan(Duration::from_secs(3600)).layer(origin(bytes))
}

fn other(
    bytes: usize,
) -> impl Service<Request<Body>, Response: Read, Error: Debug, Future: Send> + Clone {
    let cache = moka::future::Cache::new(1_000);
    ServerCacheLayer::new(MokaManager::new(cache)).layer(origin(bytes))
}

/// A response whose body can be read to the end.
trait Read {
    fn read(self) -> impl Future<Output = usize> + Send;
}

impl<B> Read for Response<B>
where
    B: http_body::Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send,
{
    async fn read(self) -> usize {
        let mut body = std::pin::pin!(self.into_body());
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Buf::remaining);
        }
        length
    }
}

/// Asks until what is stored in the background is there.
fn warm<S>(runtime: &Runtime, service: &S, bytes: usize)
where
    S: Service<Request<Body>, Response: Read, Error: Debug> + Clone,
{
    for _ in 0..3 {
        hits(runtime, service, bytes, URIS);
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn hits<S>(runtime: &Runtime, service: &S, bytes: usize, operations: usize) -> f64
where
    S: Service<Request<Body>, Response: Read, Error: Debug> + Clone,
{
    let mut service = service.clone();
    runtime.block_on(async move {
        let mut elapsed = Duration::ZERO;
        for batch in 0..operations.div_ceil(BATCH) {
            // Few at a time: a request that was just read is warm.
            let first = batch * BATCH;
            let requests: Vec<_> = (first..operations.min(first + BATCH))
                .map(request)
                .collect();
            let started = Instant::now();
            for request in requests {
                let ready = service.ready().await.expect("it is ready");
                let response = ready.call(request).await.expect("it answers");
                assert_eq!(response.read().await, bytes);
            }
            elapsed += started.elapsed();
        }
        per_operation(elapsed, operations)
    })
}

/// A request as a browser sends it.
fn request(number: usize) -> Request<Body> {
    Request::builder()
        .uri(format!("/films/{}?page=2", number % URIS))
        .header("host", "cinema.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-language", "en, de;q=0.5")
        .header("accept-encoding", "gzip, br")
        .header("cookie", "theme=dark")
        .body(Body::empty())
        .expect("a request")
}
