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
//! $ curl -si http://127.0.0.1:3000/films/8 | grep -E 'HTTP|film'
//! HTTP/1.1 404 Not Found
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
use larder::cache::Cache;
use larder::{Kind, Ttl};

const FILM: Kind = Kind::evictable("film");

/// Stands in for a database: the title of film 7.
type Database = Arc<Mutex<String>>;
type Answer = (StatusCode, String);

/// Returns the title of a film. An error of the database is not the absence of a film.
async fn title(db: Database, id: u32) -> std::io::Result<Option<String>> {
    let title = db.lock().map_err(|_| std::io::Error::other("broken"))?;
    Ok((id == 7).then(|| title.clone()))
}

async fn film(State((films, db)): State<(Cache<u32, String>, Database)>, id: Path<u32>) -> Answer {
    let id = *id;
    // The loader runs once, in a task of its own, however many callers request the film.
    match films.find_or_load(&id, move || title(db, id)).await {
        Ok(film) => (
            StatusCode::OK,
            format!("{} ({})\n", *film, film.source.as_str()),
        ),
        Err(e) if e.is_not_found() => (StatusCode::NOT_FOUND, format!("there is no film {id}\n")),
        Err(error) => {
            tracing::error!(%error, cause = ?error.loader(), "film {id} was not loaded");
            (StatusCode::SERVICE_UNAVAILABLE, "try again\n".to_owned())
        }
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
        Err(error) => {
            tracing::error!(%error, "film {} may stay cached", *id);
            let text = "changed; seen within five minutes\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
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
