//! Accounts: signing in and out, and who may do what.

mod account;
mod admin;
mod attempts;
mod demo;
mod device_name;
mod email;
mod next;
mod office;
mod passwords;
mod sign_in;
mod sign_out;
mod signed_in;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};

pub(crate) use self::demo::{DEMO_ACCOUNTS, DemoAccount};
pub(crate) use self::email::Email;
pub(crate) use self::office::Accounts;
use self::passwords::Passwords;
pub(crate) use self::signed_in::{Admin, SignedIn};
use crate::app::AppState;
use crate::headers;

pub(crate) fn routes(accounts: &Accounts) -> Router<AppState> {
    let submit = post(sign_in::submit)
        .layer(accounts.attempts.by_address())
        .layer(map_response(attempts::say_why));
    Router::new()
        .route("/sign-in", get(sign_in::form).merge(submit))
        .route("/sign-out", post(sign_out::submit))
        .route("/account", get(account::show))
        .route("/account/revoke", post(account::revoke))
        .route("/account/revoke-others", post(account::revoke_others))
        .route("/account/revoke-all", post(account::revoke_all))
        .layer(map_response(headers::personal))
}
