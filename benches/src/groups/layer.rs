//! What a rate limit adds to a request, headers on, beside tower_governor.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use larder_moka::MokaStore;
use larder_rate_limit::{KeyBy, PeerAddr, Quota, RateLimitLayer, RateLimiter};
use tokio::runtime::Runtime;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const OPERATIONS: usize = 40_000;
const VISITORS: u32 = 1_000;
const LIMIT: NonZeroU32 = NonZeroU32::new(500_000).unwrap();

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    vec![
        compare(
            "a rate limit with headers, added to a service",
            21,
            ("RateLimitLayer", Box::new(|| added(&runtime, &limited()))),
            ("tower_governor", Box::new(|| added(&runtime, &governed()))),
            Bar::CostAtMost(1.0),
        )
        .with_note("in process, 1,000 visitors; the service alone is subtracted from both"),
    ]
}

fn service() -> Boxed {
    BoxCloneSyncService::new(tower::service_fn(|_: Request<Body>| async {
        Ok(Response::new(Body::from("film")))
    }))
}

fn limited() -> Boxed {
    let store = Arc::new(MokaStore::new());
    let limiter = RateLimiter::new(store, "pages", Quota::per_second(LIMIT)).expect("a limiter");
    let layer = RateLimitLayer::new(limiter, KeyBy::peer());
    BoxCloneSyncService::new(
        layer
            .layer(service())
            .map_response(|response: Response<_>| response.map(Body::new)),
    )
}

fn governed() -> Boxed {
    let config = GovernorConfigBuilder::default()
        .per_nanosecond(2_000)
        .burst_size(LIMIT.get())
        .use_headers()
        .finish()
        .expect("a quota");
    BoxCloneSyncService::new(GovernorLayer::new(config).layer(service()))
}

/// What `layered` takes for a request, less what the service inside takes.
fn added(runtime: &Runtime, layered: &Boxed) -> f64 {
    drive(runtime, layered.clone()) - drive(runtime, service())
}

fn drive(runtime: &Runtime, mut service: Boxed) -> f64 {
    let requests: Vec<_> = (0..OPERATIONS)
        .map(|n| request(n as u32 % VISITORS))
        .collect();
    runtime.block_on(async move {
        let started = Instant::now();
        for request in requests {
            let ready = service.ready().await.expect("it is ready");
            let response = ready.call(request).await.expect("it answers");
            assert!(response.status().is_success());
        }
        per_operation(started.elapsed(), OPERATIONS)
    })
}

/// A request of a visitor, as a server hands it on: both layers find the address where they look.
fn request(visitor: u32) -> Request<Body> {
    let peer = SocketAddr::from((visitor.to_be_bytes(), 7));
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(PeerAddr(peer));
    request
}
