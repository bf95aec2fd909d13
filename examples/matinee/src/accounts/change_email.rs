use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use larder::rate_limit::Quota;
use larder::session::{FlashLevel, Session};
use serde::Deserialize;

use super::{Accounts, Email, SignedIn, in_words, signed_in};
use crate::db::{self, EmailChange};
use crate::errors::Problem;
use crate::flash;

/// How many email addresses a user may try. The answer says whether an address has an account, so without a limit
/// a user could find out for any number of them.
pub(super) const TRIES: Quota = Quota::per_day(5);

#[derive(Deserialize)]
pub(super) struct Change {
    email: String,
}

/// Changes the email address of an account, but not of an administrator's: that one is a setting.
///
/// A recent sign-in is required, in case somebody else uses the browser. While the store fails, nobody can change one.
pub(super) async fn submit(
    State(accounts): State<Accounts>,
    SignedIn(user): SignedIn,
    session: Session,
    Form(change): Form<Change>,
) -> Result<Response, Problem> {
    if let Some(again) = signed_in::again(&session, accounts.reauth_after, "/account").await? {
        return Ok(again);
    }
    let account = db::account(&accounts.pool, user).await?;
    if account.is_some_and(|account| account.is_admin) {
        let told = "An administrator's email is a setting of the app, ADMIN_EMAIL. It cannot be changed here.";
        return Ok(flash::tell(&session, FlashLevel::Error, told, "/account").await);
    }
    let Some(email) = Email::of_an_account(&change.email) else {
        let told = "That is not an email address.";
        return Ok(flash::tell(&session, FlashLevel::Error, told, "/account").await);
    };
    let tried = accounts.email_changes.check(user).await.map_err(|error| {
        tracing::warn!(%error, "a change of an email cannot be counted");
        Problem::of(StatusCode::SERVICE_UNAVAILABLE)
    })?;
    if !tried.is_allowed() {
        let when = in_words(tried.retry_after().as_secs() + 1);
        let told = format!("You have tried too many emails. Please try again {when}.");
        return Ok(flash::tell(&session, FlashLevel::Error, told, "/account").await);
    }
    let (level, told) = match db::change_email(&accounts.pool, user, &email).await? {
        EmailChange::Done => {
            let told = "Your email has been changed. Sign in with it from now on.";
            (FlashLevel::Success, told)
        }
        EmailChange::Taken => (FlashLevel::Error, "That email cannot be used."),
    };
    Ok(flash::tell(&session, level, told, "/account").await)
}
