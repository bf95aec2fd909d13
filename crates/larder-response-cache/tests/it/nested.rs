//! The layer inside a router that strips a prefix from the path.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::routing::get;
use http::{Method, Request, Uri};
use http_body_util::BodyExt;
use larder_response_cache::{Purger, ResponseCacheLayer};
use larder_store::Store;
use larder_test::ModelStore;
use tower::ServiceExt;

use crate::fixture::HOUR;

fn app() -> (Router, Purger) {
    let store: Arc<dyn Store> = Arc::new(ModelStore::new());
    let layer = ResponseCacheLayer::new(store);
    let purger = layer.purger();
    let inner = |name: &'static str| {
        let page = move || async move { ([HOUR], name) };
        let change = || async { [("location", "person")] };
        Router::new()
            .route("/", get(page))
            .route("/person", get(page).post(change))
            .layer(layer.clone())
    };
    let app = Router::new()
        .nest("/a", inner("a"))
        .nest("/b", inner("b"))
        .nest("/deep", Router::new().nest("/er", inner("deeper")));
    (app, purger)
}

async fn send(app: &Router, method: Method, path: &str) -> (bool, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", "cinema.example");
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.headers().get("cache-status");
    let is_hit = status.is_some_and(|status| status.to_str().unwrap().contains("; hit"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (is_hit, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_key_is_the_clients_uri_also_inside_a_nested_router() {
    let (app, purger) = app();
    for is_hit in [false, true] {
        for (path, body) in [
            ("/a/person", "a"),
            ("/b/person", "b"),
            ("/a", "a"),
            ("/b?x", "b"),
            ("/deep/er/person", "deeper"),
        ] {
            let seen = send(&app, Method::GET, path).await;
            assert_eq!(seen, (is_hit, body.to_owned()), "{path}");
        }
    }
    purger
        .purge("http://cinema.example/a/person")
        .await
        .unwrap();
    assert!(!send(&app, Method::GET, "/a/person").await.0);
    assert!(send(&app, Method::GET, "/b/person").await.0);
    assert!(send(&app, Method::GET, "/deep/er/person").await.0);
}

#[tokio::test]
async fn an_unsafe_request_inside_a_nested_router_invalidates_the_clients_uri() {
    let (app, _) = app();
    for path in ["/a/person", "/b/person"] {
        send(&app, Method::GET, path).await;
    }
    send(&app, Method::POST, "/b/person").await;
    assert!(send(&app, Method::GET, "/a/person").await.0);
    assert!(!send(&app, Method::GET, "/b/person").await.0);
}

#[tokio::test]
async fn a_uri_that_a_middleware_rewrites_is_not_cached() {
    let store: Arc<dyn Store> = Arc::new(ModelStore::new());
    let layer = ResponseCacheLayer::new(store);
    let cached = tower::Layer::layer(
        &layer,
        Router::new().route("/other", get(|| async { ([HOUR], "x") })),
    );
    let rewritten = tower::service_fn(move |mut request: Request<Body>| {
        *request.uri_mut() = "/other".parse().unwrap();
        cached.clone().oneshot(request)
    });
    let app = Router::new().route_service("/asked", rewritten);
    for _ in 0..2 {
        let (is_hit, body) = send(&app, Method::GET, "/asked").await;
        assert_eq!((is_hit, body.as_str()), (false, "x"));
    }
}

#[tokio::test]
async fn query_parameters_that_do_not_count_reach_no_handler_of_a_router_and_are_not_in_the_key() {
    let store: Arc<dyn Store> = Arc::new(ModelStore::new());
    let layer = ResponseCacheLayer::builder(store)
        .with_query_names(["page"])
        .build()
        .unwrap();
    let purger = layer.purger();
    let page = |uri: Uri, OriginalUri(original): OriginalUri| async move {
        ([HOUR], format!("{uri} of {original}"))
    };
    let inner = Router::new()
        .route("/films", get(page).post(async || {}))
        .layer(layer);
    let app = Router::new().nest("/a", inner);
    let seen = "/films?page=2 of /a/films?page=2";
    for (path, is_hit) in [
        ("/a/films?utm=1&page=2", false),
        ("/a/films?page=2&x", true),
    ] {
        let answer = send(&app, Method::GET, path).await;
        assert_eq!(answer, (is_hit, seen.to_owned()), "{path}");
    }
    let uri = "http://cinema.example/a/films?y&page=2";
    purger.purge(uri).await.unwrap();
    assert!(!send(&app, Method::GET, "/a/films?page=2").await.0);
    send(&app, Method::POST, "/a/films?z=3&page=2").await;
    assert!(!send(&app, Method::GET, "/a/films?page=2").await.0);
}
