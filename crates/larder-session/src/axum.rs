//! Sessions as arguments of axum's handlers.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::http::problem;
use crate::{Error, Session, UserId};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = MissingLayer;

    /// # Errors
    /// [`MissingLayer`], which is a mistake of the app's.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        parts.extensions.get().cloned().ok_or(MissingLayer)
    }
}

/// The router has no [`SessionLayer`](crate::SessionLayer) around this handler: 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingLayer;

impl std::fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handler takes a session, and there is no SessionLayer around it: add one")
    }
}

impl std::error::Error for MissingLayer {}

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// Who is signed in, for a handler that only a user may reach: 401 where nobody is, and 503 where the
/// store does not say, whatever was declared for a failing one.
///
/// ```
/// use larder_session::RequireUser;
///
/// async fn account(RequireUser(user): RequireUser) -> String {
///     format!("your account, {}", user.as_str())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequireUser(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for RequireUser {
    type Rejection = Response;

    /// # Errors
    /// As [`Session::require_user`] gives them, as a response.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let user = session.require_user().await;
        user.map(Self).map_err(IntoResponse::into_response)
    }
}

impl IntoResponse for Error {
    /// Problem details (RFC 9457): 503, 401, 409 where the session changed under way, 413 where it is
    /// too large, and 500 for a mistake of the app's, which is logged.
    fn into_response(self) -> Response {
        let response = problem(self.kind());
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "a session is used wrongly");
        }
        response
    }
}
