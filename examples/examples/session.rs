//! Sessions: visits that are counted, signing in and out, and a user's devices.
//!
//! `cargo run -p larder-examples --example session`, with `LISTEN` and `STORE_URL` as you like.
//!
//! ```text
//! $ curl -s -b jar -c jar http://127.0.0.1:3000/
//! visit 1
//! $ curl -s -b jar -c jar http://127.0.0.1:3000/
//! visit 2
//! $ curl -s -b jar -c jar -d ada http://127.0.0.1:3000/sign-in
//! welcome, ada
//! $ curl -s -c other -d ada http://127.0.0.1:3000/sign-in
//! welcome, ada
//! $ curl -s -b jar http://127.0.0.1:3000/account
//! ada, signed in on this many devices: 2
//! $ curl -s -b jar -d '' http://127.0.0.1:3000/sign-out
//! signed out
//! $ curl -si -b jar http://127.0.0.1:3000/account | grep HTTP
//! HTTP/1.1 401 Unauthorized
//! $ curl -s -b other http://127.0.0.1:3000/account
//! ada, signed in on this many devices: 1
//! ```
//!
//! The jar still has the cookie of before: it is the session that is gone.

use std::env::var;
use std::io::Write;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::session::{
    OnFailure, RequireUser, Result, Session, SessionCookie, SessionKey, SessionLayer, Sessions,
};

const VISITS: SessionKey<i64> = SessionKey::new("visits");

async fn visit(session: Session) -> Result<String> {
    let visits = session.increment(VISITS, 1).await?;
    Ok(format!("visit {visits}\n"))
}

/// A real app checks a password here, and limits how often it may be wrong.
async fn sign_in(session: Session, name: String) -> Result<(StatusCode, String)> {
    if !["ada", "grace"].contains(&name.as_str()) {
        let told = "expected 'ada' or 'grace'\n".to_owned();
        return Ok((StatusCode::FORBIDDEN, told));
    }
    session.log_in(name.as_str()).await?;
    Ok((StatusCode::OK, format!("welcome, {name}\n")))
}

async fn account(session: Session, RequireUser(user): RequireUser) -> Result<String> {
    let devices = session.devices().await?.len();
    let user = user.as_str();
    Ok(format!(
        "{user}, signed in on this many devices: {devices}\n"
    ))
}

async fn sign_out(session: Session) -> Result<&'static str> {
    session.log_out().await?;
    Ok("signed out\n")
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // Over TLS, and in production, it is `SessionCookie::default()`.
    let cookie = SessionCookie::default()
        .with_name("session")
        .insecure_over_plain_http();
    let layer = SessionLayer::new(Sessions::new(store)?, cookie, OnFailure::Unavailable)?;
    let app = Router::new()
        .route("/", get(visit))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/account", get(account))
        .layer(layer);
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // The rest of an answer does not wait until the client has acknowledged its head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
