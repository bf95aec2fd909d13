//! The typed cache: loads a film once, finds it near after that, and removes it when it changes.
//!
//! `cargo run -p larder-examples --example cache`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -s http://127.0.0.1:3000/films/7
//! Metropolis (loaded)
//! $ curl -s http://127.0.0.1:3000/films/7
//! Metropolis (near)
//! $ curl -s -d Nosferatu http://127.0.0.1:3000/films/7
//! changed
//! $ curl -s http://127.0.0.1:3000/films/7
//! Nosferatu (loaded)
//! $ curl -s http://127.0.0.1:3000/films/8
//! there is no film 8
//! ```
//!
//! A second process on the same Redis answers `(far)` for a film that the first one loaded.

use std::env::var;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt;
use larder::cache::{Cache, LoadError};
use larder::{Kind, Ttl};

const FILM: Kind = Kind::evictable("film");

/// Stands in for a database: the title of film 7.
type Database = Arc<Mutex<String>>;
type Answer = (StatusCode, String);

async fn film(State((films, db)): State<(Cache<u32, String>, Database)>, id: Path<u32>) -> Answer {
    let id = *id;
    // It runs once, in a task of its own, however many callers request the film.
    let query = move || async move {
        let title = db.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (id == 7).then_some(title).ok_or("there is no such film")
    };
    match films.find_or_load(&id, query).await {
        Ok(film) => (
            StatusCode::OK,
            format!("{} ({})\n", *film, film.source.as_str()),
        ),
        Err(LoadError::Loader(_)) => (StatusCode::NOT_FOUND, format!("there is no film {id}\n")),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

/// Changes the database first, then removes the cached title.
async fn edit(
    State((films, db)): State<(Cache<u32, String>, Database)>,
    id: Path<u32>,
    title: String,
) -> Answer {
    *db.lock().unwrap_or_else(PoisonError::into_inner) = title;
    match films.remove(&id).await {
        Ok(()) => (StatusCode::OK, "changed\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // A title stays in the store for five minutes, and near for at most 30 seconds.
    let films = Cache::builder(FILM, Ttl::from_secs(300))
        .with_far(store)
        .build()?;
    let db = Arc::new(Mutex::new("Metropolis".to_owned()));
    let app = Router::new()
        .route("/films/{id}", get(film).post(edit))
        .with_state((films, db));
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // Otherwise the body would wait until the client has acknowledged the head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
