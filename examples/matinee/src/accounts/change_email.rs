use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::{Session, SessionErrorKind};
use serde::Deserialize;

use super::account::tell;
use super::{Accounts, Email, SignedIn, next};
use crate::db::{self, EmailChange};
use crate::errors::Problem;

#[derive(Deserialize)]
pub(super) struct Change {
    email: String,
}

/// Changes the address of an account. Whoever finds the browser open has to sign in again first.
pub(super) async fn submit(
    State(accounts): State<Accounts>,
    SignedIn(user): SignedIn,
    session: Session,
    Form(change): Form<Change>,
) -> Result<Response, Problem> {
    match session.recent_auth(accounts.reauth_after).await {
        Err(error) if error.kind() == SessionErrorKind::ReauthenticationRequired => {
            return Ok(Redirect::to(&next::sign_in_again_for("/account")).into_response());
        }
        recent => recent?,
    };
    let notice = match Email::of_an_account(&change.email) {
        None => "That is not an email address.",
        Some(email) => match db::change_email(&accounts.pool, user, &email).await? {
            EmailChange::Done => "Your email is changed. Sign in with it from now on.",
            EmailChange::Taken => "That email cannot be used.",
        },
    };
    tell(&session, notice).await
}
