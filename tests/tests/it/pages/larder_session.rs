use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use larder::Store;
use larder::session::{
    RequireUser, RequireUserLayer, Result, Session, SessionKey, SessionLayer, Sessions, SignInPage,
};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

async fn visit(session: Session) -> Result<String> {
    let visits = session.increment(VISITS, 1).await?;
    Ok(format!("visit {visits}"))
}

async fn sign_in(session: Session) -> Result<&'static str> {
    session.log_in("ada").await?; // after you checked the password
    Ok("welcome")
}

async fn account(RequireUser(user): RequireUser) -> String {
    format!("your account, {}", user.as_str())
}

async fn sign_out(session: Session) -> Result<&'static str> {
    session.log_out().await?;
    Ok("bye")
}

pub fn app(store: Arc<dyn Store>) -> Result<Router> {
    Ok(routes()?.layer(SessionLayer::new(Sessions::new(store)?)))
}

pub fn routes() -> Result<Router> {
    let users_only = RequireUserLayer::new().with_sign_in_page(SignInPage::new("/sign-in")?);
    Ok(Router::new()
        .route("/account", get(account))
        .route_layer(users_only)
        .route("/", get(visit))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out)))
}
