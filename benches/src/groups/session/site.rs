//! The pages that are asked for, with each contender's session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use http::{Request, header};
use larder_session::{Session, SessionKey, SessionLayer, Sessions};
use larder_store::Store;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tower::ServiceExt;
use tower_sessions::{MemoryStore, SessionManagerLayer};

/// What a visitor has in the session.
const CITY: SessionKey<String> = SessionKey::new("city");

/// The key of the raw GET, and the bytes it holds: as many as a visitor's session with the field.
pub(super) const RAW: (&str, usize) = ("raw-session", 116);
/// The same for the state of a user.
pub(super) const RAW_STATE: (&str, usize) = ("raw-state", 18);

/// Pages of larder: `/` leaves the session alone, `/read` reads a field, `/user` a field and who is
/// signed in.
pub(crate) fn ours(store: Arc<dyn Store>) -> Router {
    let sessions = Sessions::new(store).expect("a store that runs programs");
    Router::new()
        .route("/", get(|| async { "film" }))
        .route("/read", get(read))
        .route("/user", get(user))
        .route("/write", get(write))
        .route("/log-in", get(log_in))
        .layer(SessionLayer::new(sessions))
}

async fn read(session: Session) -> String {
    let city = session.get(CITY).await.expect("the store answers");
    city.expect("a city")
}

async fn user(session: Session) -> String {
    let user = session.user().await.expect("the store answers");
    assert!(user.is_some());
    read(session).await
}

async fn write(session: Session) {
    let city = "Paris, Texas".to_owned();
    session.insert(CITY, &city).await.expect("it is small");
}

async fn log_in(session: Session) {
    write(session.clone()).await;
    static USERS: AtomicUsize = AtomicUsize::new(0);
    let user = format!("user-{}", USERS.fetch_add(1, Ordering::Relaxed));
    session.log_in(user).await.expect("the store answers");
}

/// The same pages of tower-sessions, which knows no user: one is a field.
pub(crate) fn theirs() -> Router {
    let read = |session: tower_sessions::Session| async move {
        let city = session.get::<String>(CITY.name()).await;
        city.expect("the store answers").expect("a city")
    };
    let user = move |session: tower_sessions::Session| async move {
        let user = session.get::<String>("user").await;
        assert!(user.expect("the store answers").is_some());
        read(session).await
    };
    let write = |session: tower_sessions::Session| async move {
        let city = "Paris, Texas".to_owned();
        session.insert(CITY.name(), city).await.expect("written");
    };
    let log_in = |session: tower_sessions::Session| async move {
        let city = "Paris, Texas".to_owned();
        session.insert(CITY.name(), city).await.expect("written");
        session.insert("user", "ada").await.expect("written");
    };
    Router::new()
        .route("/", get(|| async { "film" }))
        .route("/read", get(read))
        .route("/user", get(user))
        .route("/write", get(write))
        .route("/log-in", get(log_in))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
}

/// The same pages without a session.
pub(super) fn plain() -> Router {
    let read = || async { "Paris, Texas".to_owned() };
    Router::new()
        .route("/", get(|| async { "film" }))
        .route("/read", get(read))
        .route("/user", get(read))
}

/// The same pages without a session, which ask Redis for a value, and `/two` for two.
pub(super) fn raw(connection: MultiplexedConnection) -> Router {
    Router::new()
        .route("/read", get(raw_read))
        .route("/user", get(raw_read))
        .route("/two", get(raw_read_two))
        .with_state(connection)
}

async fn raw_read(State(mut connection): State<MultiplexedConnection>) -> String {
    let value: Vec<u8> = connection.get(RAW.0).await.expect("Redis answers");
    assert_eq!(value.len(), RAW.1);
    "Paris, Texas".to_owned()
}

async fn raw_read_two(State(mut connection): State<MultiplexedConnection>) -> String {
    let both = connection.mget(&[RAW.0, RAW_STATE.0]).await;
    let both: (Vec<u8>, Vec<u8>) = both.expect("Redis answers");
    assert_eq!((both.0.len(), both.1.len()), (RAW.1, RAW_STATE.1));
    "Paris, Texas".to_owned()
}

/// The cookie of a visitor who has been at `path`.
pub(crate) async fn cookie(pages: &Router, path: &str) -> String {
    let response = pages.clone().oneshot(request(path, "")).await;
    let response = response.expect("a router has no errors");
    let set = response
        .headers()
        .get(header::SET_COOKIE)
        .expect("a cookie");
    let set = set.to_str().expect("a cookie is text");
    set.split(';').next().unwrap_or_default().to_owned()
}

pub(crate) fn request(path: &str, cookie: &str) -> Request<Body> {
    let request = Request::builder().uri(path).header(header::COOKIE, cookie);
    request.body(Body::empty()).expect("a request")
}
