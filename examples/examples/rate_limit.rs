//! Limits page loads, and guesses, of which only wrong ones count.
//!
//! Run it with `cargo run -p larder-examples --example rate_limit`. `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/ | grep -i ratelimit
//! ratelimit-policy: "pages";q=3;w=60
//! ratelimit: "pages";r=2;t=20
//! $ curl -s http://127.0.0.1:3000/
//! hello
//! $ curl -s http://127.0.0.1:3000/
//! hello
//! $ curl -si http://127.0.0.1:3000/ | grep -iE 'http/|retry-after'
//! HTTP/1.1 429 Too Many Requests
//! retry-after: …
//! $ curl -s -d sesame http://127.0.0.1:3000/guess
//! right
//! $ curl -s -d pepper http://127.0.0.1:3000/guess
//! wrong
//! $ curl -s -d ginger http://127.0.0.1:3000/guess
//! wrong
//! $ curl -si -d sesame http://127.0.0.1:3000/guess | grep HTTP
//! HTTP/1.1 429 Too Many Requests
//! ```
//!
//! Several processes on one Redis share the limits: the fourth page in a minute is refused, whichever
//! process is asked.

use std::env::var;
use std::io::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::rate_limit::{FailMode, KeyBy, Quota, RateLimitLayer, RateLimiter};

async fn guess(word: String) -> (StatusCode, &'static str) {
    match word.as_str() {
        "sesame" => (StatusCode::OK, "right\n"),
        _ => (StatusCode::FORBIDDEN, "wrong\n"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // While the store fails, pages are served and guesses are refused.
    let pages = RateLimiter::new(store.clone(), "pages", Quota::per_minute(3))?;
    let pages = RateLimitLayer::new(pages, KeyBy::peer()).with_fail_mode(FailMode::Open);
    let guesses = RateLimiter::new(store, "guesses", Quota::per_hour(2))?;
    let guesses = RateLimitLayer::new(guesses, KeyBy::peer())
        .with_fail_mode(FailMode::Closed)
        .with_refund_if(|response| response.status == StatusCode::OK);
    let app = Router::new()
        .route("/", get(|| async { "hello\n" }).layer(pages))
        .route("/guess", post(guess).layer(guesses));
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // Without this, a body may wait until the client has acknowledged the head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // The limiter needs the client's address.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}
