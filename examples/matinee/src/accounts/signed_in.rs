//! Who is signed in: extractors for a user and an administrator, and the check for a recent sign-in.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::{FlashLevel, Session, SessionErrorKind};
use sqlx::SqlitePool;

use super::next;
use crate::db::{self, Account};
use crate::errors::Problem;
use crate::flash;

/// The id of the user who is signed in. Others are redirected to the sign-in form; while the store
/// fails, the answer is 503.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedIn(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, state).await;
        let session = session.map_err(IntoResponse::into_response)?;
        match session.require_user().await {
            Ok(user) => user
                .as_str()
                .parse()
                .map(Self)
                .map_err(|_| to_the_form(parts)),
            Err(error) if error.kind() == SessionErrorKind::SignedOut => Err(to_the_form(parts)),
            Err(error) => Err(error.into_response()),
        }
    }
}

/// The account of the administrator who is signed in. Other users get 403.
#[derive(Clone, Debug)]
pub(crate) struct Admin(pub(crate) Account);

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    SqlitePool: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let SignedIn(user) = SignedIn::from_request_parts(parts, state).await?;
        let account = db::account(&SqlitePool::from_ref(state), user).await;
        match account.map_err(|error| Problem::from(error).into_response())? {
            Some(account) if account.is_admin => Ok(Self(account)),
            _ => Err(Problem::forbidden("Only administrators may open this page.").into_response()),
        }
    }
}

/// Redirects a user whose sign-in is too old to the form, which leads back to `page`. Returns `None` if the
/// sign-in is recent.
pub(crate) async fn again(
    session: &Session,
    within: Duration,
    page: &str,
) -> Result<Option<Response>, Problem> {
    match session.recent_auth(within).await {
        Err(error) if error.kind() == SessionErrorKind::ReauthenticationRequired => {
            let told = "Please sign in again: this needs a recent sign-in.";
            let form = next::sign_in_for(page);
            Ok(Some(
                flash::tell(session, FlashLevel::Warning, told, &form).await,
            ))
        }
        recent => recent.map(|_| None).map_err(Problem::from),
    }
}

/// Redirects a visitor to the sign-in form, which leads back to the page. A submitted form is dropped, and the page
/// is the one that it was on.
fn to_the_form(parts: &Parts) -> Response {
    // A handler in a nested router sees only the rest of the path.
    let original = parts.extensions.get::<OriginalUri>().map(|it| &it.0);
    let asked = original.unwrap_or(&parts.uri).path_and_query();
    let asked = asked.map_or("/", |asked| asked.as_str());
    let link = if parts.method.is_safe() {
        next::sign_in_for(asked)
    } else {
        next::sign_in_for(&next::page_of_the_form(&parts.headers))
    };
    Redirect::to(&link).into_response()
}
