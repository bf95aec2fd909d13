//! Extractors and responses for axum.

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::request::Parts;

use crate::http::problem;
use crate::{ReturnPath, Session, SessionError, SessionErrorKind, SignInPage, UserId};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = MissingLayer;

    /// # Errors
    /// [`MissingLayer`], which is a mistake in the app.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        parts.extensions.get().cloned().ok_or(MissingLayer)
    }
}

/// The rejection, a 500, if there is no [`SessionLayer`](crate::SessionLayer) around the handler.
#[derive(Clone, Copy, Debug)]
pub struct MissingLayer;

impl std::fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handler takes a session, but there is no SessionLayer around it: add one")
    }
}

impl std::error::Error for MissingLayer {}

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// The signed-in user, for a handler that needs one.
///
/// Without a user the answer is 401, or a redirect if a [`SignInPage`] is among the request's
/// extensions. While the store fails it is 503, whatever [`OnFailure`](crate::OnFailure) says.
/// `Option<RequireUser>` accepts every visitor, and is the user if there is one.
/// [`RequireUserLayer`](crate::RequireUserLayer) requires a user for a whole router.
///
/// ```
/// use larder_session::RequireUser;
///
/// async fn account(RequireUser(user): RequireUser) -> String {
///     format!("your account, {}", user.as_str())
/// }
///
/// async fn home(user: Option<RequireUser>) -> String {
///     match user {
///         Some(RequireUser(user)) => format!("welcome back, {}", user.as_str()),
///         None => "welcome".to_owned(),
///     }
/// }
/// ```
///
/// With a sign-in page:
///
/// ```
/// use axum::extract::{Extension, Query};
/// use axum::{Router, routing::get};
/// use larder_session::{RequireUser, Result, ReturnPath, Session, SignInPage};
///
/// #[derive(serde::Deserialize)]
/// struct Next {
///     #[serde(default)]
///     next: ReturnPath,
/// }
///
/// async fn account(RequireUser(user): RequireUser) -> String {
///     user.as_str().to_owned()
/// }
///
/// async fn sign_in(session: Session, Query(Next { next }): Query<Next>) -> Result<ReturnPath> {
///     session.log_in("ada").await?; // after you checked the password
///     Ok(next)
/// }
///
/// fn pages() -> Result<Router> {
///     let users_only = Router::new()
///         .route("/account", get(account))
///         .layer(Extension(SignInPage::new("/sign-in")?));
///     // Wrap all of it in the `SessionLayer`.
///     Ok(Router::new().route("/sign-in", get(sign_in)).merge(users_only))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequireUser(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for RequireUser {
    type Rejection = Response;

    /// # Errors
    /// Those of [`Session::require_user`], as a response.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = session(parts, state).await?;
        match session.require_user().await {
            Ok(user) => Ok(Self(user)),
            Err(error) if error.kind() == SessionErrorKind::SignedOut => {
                let page = parts.extensions.get::<SignInPage>();
                let redirect = page.map(|page| page.redirect(parts, Body::empty()));
                Err(redirect.unwrap_or_else(|| error.into_response()))
            }
            Err(error) => Err(error.into_response()),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RequireUser {
    type Rejection = Response;

    /// # Errors
    /// Those of [`Session::user`], as a response.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let user = session(parts, state).await?.user().await;
        user.map(|user| user.map(Self))
            .map_err(IntoResponse::into_response)
    }
}

async fn session<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Session, Response> {
    let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state).await;
    session.map_err(IntoResponse::into_response)
}

impl IntoResponse for SessionError {
    /// Returns problem details (RFC 9457): 503, 401 with `WWW-Authenticate: Cookie realm="session"`, 403 if the
    /// account is disabled or has as many sessions as allowed, 409 if the session changed during the request, 413
    /// if it is too large, and 500 for a mistake in the app, which is logged.
    fn into_response(self) -> Response {
        let response = problem(self.kind(), Into::into);
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "the app uses a session incorrectly");
        }
        response
    }
}

impl IntoResponse for ReturnPath {
    /// Redirects to the path: 303.
    fn into_response(self) -> Response {
        Redirect::to(self.as_str()).into_response()
    }
}
