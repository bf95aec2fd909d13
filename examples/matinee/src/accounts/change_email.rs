use axum::Form;
use axum::extract::State;
use axum::response::Response;
use larder::session::{FlashLevel, Session};
use serde::Deserialize;

use super::{Accounts, Email, SignedIn, signed_in};
use crate::db::{self, EmailChange};
use crate::errors::Problem;
use crate::flash;

#[derive(Deserialize)]
pub(super) struct Change {
    email: String,
}

/// Changes the email address of an account. A recent sign-in is required, in case somebody else
/// uses the browser.
pub(super) async fn submit(
    State(accounts): State<Accounts>,
    SignedIn(user): SignedIn,
    session: Session,
    Form(change): Form<Change>,
) -> Result<Response, Problem> {
    if let Some(again) = signed_in::again(&session, accounts.reauth_after, "/account").await? {
        return Ok(again);
    }
    let (level, told) = match Email::of_an_account(&change.email) {
        None => (FlashLevel::Error, "That is not an email address."),
        Some(email) => match db::change_email(&accounts.pool, user, &email).await? {
            EmailChange::Done => {
                let told = "Your email is changed. Sign in with it from now on.";
                (FlashLevel::Success, told)
            }
            EmailChange::Taken => (FlashLevel::Error, "That email cannot be used."),
        },
    };
    Ok(flash::tell(&session, level, told, "/account").await)
}
