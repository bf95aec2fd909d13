//! What a rate limit adds to a request, headers on, beside tower_governor.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use governor::middleware::StateInformationMiddleware;
use http::{Request, Response};
use larder_moka::MokaStore;
use larder_rate_limit::{KeyBy, PeerAddr, Quota, RateLimitLayer, RateLimiter};
use tokio::runtime::Runtime;
use tower::{Layer, Service};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::PeerIpKeyExtractor;

use crate::harness::{Bar, Row, compare};
use crate::load::{drive, runtime};

const OPERATIONS: usize = 40_000;
const VISITORS: u32 = 1_000;
/// So much that nobody is refused, and slow enough to come back that records stay.
const LIMIT: u32 = 1_000_000;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let (limit, governor) = (limit(), governor());
    let limited = limit.clone().layer(service());
    let governed = governor.clone().layer(service());
    let router = Router::new().route("/", get(|| async { "film" }));
    let limited_router = router.clone().layer(limit);
    let governed_router = router.clone().layer(governor);
    let note = "in process, 1,000 visitors; the service alone is subtracted from both; ours makes a key \
                that any store knows, and runs a GCRA step that takes three times as long";
    vec![
        compare(
            "a rate limit with headers, added to a tower service",
            21,
            (
                "RateLimitLayer",
                Box::new(|| added(&runtime, &limited, &service())),
            ),
            (
                "tower_governor",
                Box::new(|| added(&runtime, &governed, &service())),
            ),
            Bar::CostAtMost(0.8),
        )
        .with_note(note),
        compare(
            "the same, added to an axum Router",
            21,
            (
                "RateLimitLayer",
                Box::new(|| added(&runtime, &limited_router, &router)),
            ),
            (
                "tower_governor",
                Box::new(|| added(&runtime, &governed_router, &router)),
            ),
            Bar::CostAtMost(0.8),
        )
        .with_note(note),
    ]
}

pub(crate) fn service()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    tower::service_fn(|_: Request<Body>| async { Ok(Response::new(Body::from("film"))) })
}

fn limit() -> RateLimitLayer {
    let store = Arc::new(MokaStore::new());
    let limiter = RateLimiter::new(store, "pages", Quota::per_hour(LIMIT)).expect("a limiter");
    RateLimitLayer::new(limiter, KeyBy::peer())
}

fn governor() -> GovernorLayer<PeerIpKeyExtractor, StateInformationMiddleware, Body> {
    let config = GovernorConfigBuilder::default()
        .per_millisecond(3)
        .burst_size(LIMIT)
        .use_headers()
        .finish()
        .expect("a quota");
    GovernorLayer::new(config)
}

/// What `layered` takes for a request, less what `bare` takes.
fn added<L, B, LBody, BBody>(runtime: &Runtime, layered: &L, bare: &B) -> f64
where
    L: Service<Request<Body>, Response = Response<LBody>, Error = Infallible> + Clone,
    B: Service<Request<Body>, Response = Response<BBody>, Error = Infallible> + Clone,
{
    let visit = |n| request(n as u32 % VISITORS);
    let layered = drive(runtime, layered.clone(), OPERATIONS, visit);
    layered - drive(runtime, bare.clone(), OPERATIONS, visit)
}

/// A request of a visitor, as a server hands it on: both layers find the address where they look.
pub(crate) fn request(visitor: u32) -> Request<Body> {
    let peer = SocketAddr::from((visitor.to_be_bytes(), 7));
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(PeerAddr(peer));
    request
}
