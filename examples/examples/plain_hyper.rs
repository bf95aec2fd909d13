//! Sessions, a rate limit and the response cache on hyper alone, without axum.
//!
//! `cargo run -p larder-examples --example plain_hyper`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/ | grep -i cache-status
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored
//! $ curl -si http://127.0.0.1:3000/ | grep -i cache-status
//! cache-status: larder; hit; ttl=…
//! $ curl -s -b jar -c jar http://127.0.0.1:3000/visits
//! visit 1
//! $ curl -s -b jar -c jar http://127.0.0.1:3000/visits
//! visit 2
//! $ curl -si -b jar http://127.0.0.1:3000/visits | grep HTTP
//! HTTP/1.1 429 Too Many Requests
//! $ curl -s http://127.0.0.1:3000/
//! the same for everybody
//! ```
//!
//! The limit is three requests a minute. Cached responses do not reach it.

use std::convert::Infallible;
use std::env::var;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use larder::rate_limit::{KeyBy, PeerAddr, Quota, RateLimitLayer, RateLimiter};
use larder::response_cache::ResponseCacheLayer;
use larder::session::{Session, SessionCookie, SessionKey, SessionLayer, Sessions};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const VISITS: SessionKey<i64> = SessionKey::new("visits");

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = request.extensions().get::<Session>();
    let (status, control, text) = match (request.uri().path(), session) {
        ("/", _) => (
            StatusCode::OK,
            "max-age=60",
            "the same for everybody\n".into(),
        ),
        ("/visits", Some(session)) => match session.increment(VISITS, 1).await {
            Ok(visits) => (StatusCode::OK, "private", format!("visit {visits}\n")),
            Err(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-store",
                format!("{error}\n"),
            ),
        },
        _ => (StatusCode::NOT_FOUND, "no-store", "not found\n".into()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let control = http::HeaderValue::from_static(control);
    response.headers_mut().insert("cache-control", control);
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_minute(3))?;
    let cookie = SessionCookie::builder()
        .with_name("session")
        .insecure_over_plain_http()
        .build()?;
    let service = ServiceBuilder::new()
        .layer(ResponseCacheLayer::new(store.clone()))
        .layer(SessionLayer::new(Sessions::new(store)?).with_cookie(cookie))
        .layer(RateLimitLayer::new(limiter, KeyBy::peer()))
        .service(service_fn(answer));
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Either the client is gone or file descriptors have run out: both pass.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // With TCP_NODELAY the body of a response does not wait until the client acknowledges its head.
        drop(stream.set_nodelay(true));
        let service = service
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(PeerAddr(peer));
                request
            });
        let mut http = http1::Builder::new();
        let connection = http
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        // A client that disconnects is not an error.
        tokio::spawn(async move { drop(connection.await) });
    }
}
