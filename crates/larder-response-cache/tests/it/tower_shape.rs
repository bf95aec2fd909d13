//! The layer as a tower service, and under axum.

use std::future::poll_fn;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use larder_response_cache::ResponseCacheLayer;
use larder_store::Store;
use larder_test::ModelStore;
use larder_test::service::ReadyProbe;
use tower::{Layer, Service, ServiceExt};

use crate::fixture::{HOUR, Origin, request};

fn layer() -> ResponseCacheLayer {
    let store: Arc<dyn Store> = Arc::new(ModelStore::default());
    ResponseCacheLayer::new(store)
}

#[tokio::test]
async fn the_instance_that_was_polled_ready_is_the_one_that_is_called() {
    let origin = Origin::default();
    let probe = ReadyProbe::new(origin.clone());
    let watch = probe.watch();
    let mut service = layer().layer(probe);
    let fields = [("cache-control", "max-age=0, stale-while-revalidate=60")];
    let script = &origin;
    Origin::then(script, 200, &fields, "stale at once");
    Origin::then(script, 200, &[HOUR], "fresh");
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/"),
        ("GET", "/a"),
        ("POST", "/"),
        ("OPTIONS", "/"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        poll_fn(|cx| Service::<Request<Full<_>>>::poll_ready(&mut service, cx))
            .await
            .unwrap();
        let response = service.call(request(method, path, &[])).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    while watch.calls() < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(watch.violations(), []);
}

#[tokio::test]
async fn it_works_under_axum_around_a_route_and_around_a_router() {
    async fn film() -> ([(&'static str, &'static str); 1], &'static str) {
        ([HOUR], "Metropolis")
    }
    let inside = Router::new().route("/film", get(film)).layer(layer());
    let outside = layer().layer(Router::new().route("/film", get(film)));
    for is_hit in [false, true] {
        let film = || {
            let request = Request::get("/film").header("host", "cinema.example");
            request.body(axum::body::Body::empty()).unwrap()
        };
        let one = inside.clone().oneshot(film()).await.unwrap();
        let two = outside.clone().oneshot(film()).await.unwrap();
        for headers in [one.headers(), two.headers()] {
            let status = headers["cache-status"].to_str().unwrap();
            assert_eq!(status.contains("; hit"), is_hit);
        }
        let body = one.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "Metropolis");
        let body = two.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "Metropolis");
    }
}
