//! The response cache: a page that is cached and purged by its tag, and a private page.
//!
//! `cargo run -p larder-examples --example response_cache`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/film | grep -i cache-status
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored
//! $ curl -si http://127.0.0.1:3000/film | grep -i cache-status
//! cache-status: larder; hit; ttl=…
//! $ curl -s http://127.0.0.1:3000/film
//! Metropolis, page number 1
//! $ curl -s -d Nosferatu http://127.0.0.1:3000/edit
//! changed
//! $ curl -s http://127.0.0.1:3000/film
//! Nosferatu, page number 2
//! $ curl -si http://127.0.0.1:3000/mine | grep -i cache-status
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=private
//! ```

use std::env::var;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::response_cache::{Purger, ResponseCacheLayer};

/// Stands in for a database.
#[derive(Clone)]
struct Films {
    title: Arc<Mutex<String>>,
    made: Arc<AtomicU32>,
    purger: Purger,
}

async fn film(State(films): State<Films>) -> impl IntoResponse {
    let made = films.made.fetch_add(1, Ordering::Relaxed) + 1;
    let title = films.title.lock().unwrap_or_else(PoisonError::into_inner);
    let page = format!("{title}, page number {made}\n");
    let headers = [("cache-control", "max-age=60"), ("cache-tag", "film")];
    (headers, page)
}

/// Changes the data first, then purges the page.
async fn edit(State(films): State<Films>, title: String) -> (StatusCode, &'static str) {
    *films.title.lock().unwrap_or_else(PoisonError::into_inner) = title;
    match films.purger.purge_tag("film").await {
        Ok(()) => (StatusCode::OK, "changed\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "changed; seen in a minute\n",
        ),
    }
}

async fn mine() -> impl IntoResponse {
    ([("cache-control", "private")], "this is yours alone\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let layer = ResponseCacheLayer::new(store);
    let films = Films {
        title: Arc::new(Mutex::new("Metropolis".to_owned())),
        made: Arc::default(),
        purger: layer.purger(),
    };
    let app = Router::new()
        .route("/film", get(film))
        .route("/edit", post(edit))
        .route("/mine", get(mine))
        .with_state(films)
        .layer(layer);
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // With TCP_NODELAY the body of a response does not wait until the client acknowledges its head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
