//! Accounts: signing in and out, and who may do what.

mod account;
mod demo;
mod device_name;
mod email;
mod next;
mod passwords;
mod sign_in;
mod sign_out;
mod signed_in;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};

pub(crate) use self::demo::{DEMO_ACCOUNTS, DemoAccount, add_demo_accounts};
pub(crate) use self::email::Email;
pub(crate) use self::passwords::Passwords;
pub(crate) use self::signed_in::{Admin, SignedIn};
use crate::app::AppState;
use crate::headers;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in", get(sign_in::form).post(sign_in::submit))
        .route("/sign-out", post(sign_out::submit))
        .route("/account", get(account::show))
        .route("/account/revoke", post(account::revoke))
        .route("/account/revoke-others", post(account::revoke_others))
        .route("/account/revoke-all", post(account::revoke_all))
        .layer(map_response(headers::personal))
}
