//! The layer under axum.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::{Extensions, Request, Response};
use larder_rate_limit::{KeyBy, Quota, RateLimitLayer};
use tower::ServiceExt;

use crate::support::{limiter, lines, model};

fn router(key_by: KeyBy) -> Router {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    Router::new()
        .route("/", get(async || "hello"))
        .layer(RateLimitLayer::new(limiter, key_by))
}

async fn response(router: &Router, peer: &str) -> (u16, String, Response<()>) {
    let mut request = Request::new(Body::empty());
    let peer = SocketAddr::new(peer.parse().unwrap(), 1);
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    (parts.status.as_u16(), text, Response::from_parts(parts, ()))
}

/// What the feature `axum` does by itself.
fn connect_info(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.ip())
}

#[tokio::test]
async fn a_router_is_limited_by_the_address_that_axum_knows() {
    let router = router(KeyBy::peer_found_by(connect_info));
    for peer in ["192.0.2.1", "192.0.2.2"] {
        let (status, text, passed) = response(&router, peer).await;
        assert_eq!((status, &text[..]), (200, "hello"));
        assert_eq!(
            lines(passed.headers(), "ratelimit"),
            [r#""test";r=0;t=3600"#]
        );
        let (status, text, refused) = response(&router, peer).await;
        assert_eq!(status, 429);
        assert!(text.contains("quota-exceeded"), "{text}");
        assert_eq!(
            lines(refused.headers(), "content-type"),
            ["application/problem+json"]
        );
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn with_the_feature_axum_the_address_is_found_by_itself() {
    let router = router(KeyBy::peer());
    for (peer, status) in [("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.1", 429)] {
        assert_eq!(response(&router, peer).await.0, status);
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn what_is_exempt_is_told_by_the_uri_that_the_client_asked_for_where_a_router_is_nested() {
    let (store, _) = model();
    let layer = RateLimitLayer::new(limiter(store, Quota::per_hour(1)), KeyBy::everybody())
        .with_exempt_if(|_, uri| uri.path() == "/api/health");
    let inner = Router::new()
        .route("/health", get(async || "well"))
        .route("/api/health", get(async || "not the same"))
        .layer(layer);
    let app = Router::new().nest("/api", inner);
    let status = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status()
    };
    for _ in 0..3 {
        assert_eq!(status("/api/health?q").await, 200);
    }
    assert_eq!(status("/api/api/health").await, 200);
    assert_eq!(status("/api/api/health").await, 429);
}
