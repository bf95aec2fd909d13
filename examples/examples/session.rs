//! Counts visits, signs users in and out, and lists a user's devices.
//!
//! Run it with `cargo run -p larder-examples --example session`; set `LISTEN` and `STORE_URL` to change
//! the address and the store.
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
//! The jar still has the old cookie, but its session is gone.
//!
//! With `remember=true`, the session lives longer and its cookie survives when the browser closes. A browser
//! that requests a user's page is redirected to the sign-in page, and then back:
//!
//! ```text
//! $ curl -si -d ada 'http://127.0.0.1:3000/sign-in?remember=true' | grep -i max-age
//! set-cookie: session=…; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000
//! $ curl -si -d ada 'http://127.0.0.1:3000/sign-in?remember=false' | grep -i set-cookie
//! set-cookie: session=…; Path=/; HttpOnly; SameSite=Lax
//! $ curl -si http://127.0.0.1:3000/page | grep -i location
//! location: /sign-in?next=%2Fpage
//! $ curl -si -d ada 'http://127.0.0.1:3000/sign-in?next=%2Fpage' | grep -i location
//! location: /page
//! $ curl -si -d ada 'http://127.0.0.1:3000/sign-in?next=%2F%2Fevil.example' | grep -i location
//! location: /
//! ```

use std::collections::HashMap;
use std::env::var;
use std::io::Write;

use axum::Router;
use axum::extract::{Extension, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::session::{
    CookieExpiry, Lifetime, RequireUser, Result, ReturnPath, Session, SessionCookie, SessionKey,
    SessionLayer, Sessions, SignInOptions, SignInPage,
};

const VISITS: SessionKey<i64> = SessionKey::new("visits");

type Params = Query<HashMap<String, String>>;

async fn visit(session: Session) -> Result<String> {
    let visits = session.increment(VISITS, 1).await?;
    Ok(format!("visit {visits}\n"))
}

/// A real app checks a password here, and limits the failed attempts.
async fn sign_in(session: Session, Query(query): Params, name: String) -> Result<Response> {
    if !["ada", "grace"].contains(&name.as_str()) {
        let refusal = "expected 'ada' or 'grace'\n";
        return Ok((StatusCode::FORBIDDEN, refusal).into_response());
    }
    let mut options = SignInOptions::new();
    if query.get("remember").is_some_and(|it| it == "true") {
        options = options
            .with_lifetime(Lifetime::AAL1)
            .with_cookie_expiry(CookieExpiry::WithTheSession);
    }
    session.log_in_with(name.as_str(), options).await?;
    Ok(match query.get("next") {
        // Whatever the visitor sent, the result is a page of this site.
        Some(next) => ReturnPath::parse(next).unwrap_or_default().into_response(),
        None => format!("welcome, {name}\n").into_response(),
    })
}

/// A page for people: without a user it redirects to the sign-in page, whereas `/account` answers 401. A
/// real app shows a form there, which passes `next` on.
async fn page(RequireUser(user): RequireUser) -> String {
    format!("the page of {}\n", user.as_str())
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
    // For plain HTTP on this machine. In production, over TLS, use the default cookie.
    let cookie = SessionCookie::builder()
        .with_name("session")
        .insecure_over_plain_http()
        .build()?;
    let sessions = Sessions::new(store)?.with_max_lifetime(Lifetime::AAL1);
    let layer = SessionLayer::new(sessions).with_cookie(cookie);
    let app = Router::new()
        .route("/page", get(page))
        .layer(Extension(SignInPage::new("/sign-in")?))
        .route("/", get(visit))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/account", get(account))
        .layer(layer);
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // Send the rest of a response without waiting for the client to acknowledge its head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
