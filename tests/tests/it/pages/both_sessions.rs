use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response, Result};
use axum_login::tower_sessions::{SessionManagerLayer, SessionStore};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser};
use larder::Store;
use larder::session::{Session, SessionLayer, Sessions};

use super::larder_session;
use super::tower_sessions::Users;

/// Signs in to larder's session whoever is only signed in to the old one, which then ends.
async fn take_over(
    mut old: AuthSession<Users>,
    session: Session,
    request: Request,
    next: Next,
) -> Result<Response> {
    if let Some(user) = old.user.take() {
        if session.user().await?.is_none() {
            session.log_in(user.id()).await?;
        }
        // Otherwise it would sign in again after a sign-out.
        let ended = old.logout().await;
        ended.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    }
    Ok(next.run(request).await.into_response())
}

/// The new app, for as long as old sessions live.
pub fn app(
    store: Arc<dyn Store>,
    old: impl SessionStore + Clone,
) -> larder::session::Result<Router> {
    let old = AuthManagerLayerBuilder::new(Users, SessionManagerLayer::new(old)).build();
    Ok(larder_session::routes()?
        .layer(from_fn(take_over))
        .layer(old)
        .layer(SessionLayer::new(Sessions::new(store)?)))
}
