use std::convert::Infallible;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::tower_sessions::{Session, SessionManagerLayer, SessionStore};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, login_required};

#[derive(Clone, Debug)]
pub struct User(String);

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"the hash of the password"
    }
}

#[derive(Clone, Debug)]
pub struct Users;

impl AuthnBackend for Users {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, name: String) -> Result<Option<User>, Infallible> {
        Ok(Some(User(name))) // after you checked the password
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Infallible> {
        Ok(Some(User(name.clone()))) // a query, at each request
    }
}

async fn visit(session: Session) -> Result<String, StatusCode> {
    let visits: Option<u32> = session.get("visits").await.map_err(failed)?;
    let visits = visits.unwrap_or(0) + 1;
    session.insert("visits", visits).await.map_err(failed)?;
    Ok(format!("visit {visits}"))
}

async fn sign_in(mut auth: AuthSession<Users>) -> Result<&'static str, StatusCode> {
    let user = auth.authenticate("ada".to_owned()).await.map_err(failed)?;
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    auth.login(&user).await.map_err(failed)?;
    Ok("welcome")
}

async fn account(auth: AuthSession<Users>) -> String {
    let user = auth.user.map(|user| user.0);
    format!("your account, {}", user.unwrap_or_default())
}

async fn sign_out(mut auth: AuthSession<Users>) -> Result<&'static str, StatusCode> {
    auth.logout().await.map_err(failed)?;
    Ok("bye")
}

fn failed<E>(_: E) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

pub fn app(store: impl SessionStore + Clone) -> Router {
    let sessions = SessionManagerLayer::new(store);
    Router::new()
        .route("/account", get(account))
        .route_layer(login_required!(Users, login_url = "/sign-in"))
        .route("/", get(visit))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build())
}
