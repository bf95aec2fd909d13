use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::Session;
use serde::Deserialize;

use super::device_name::device_name;
use super::{Accounts, Email, next};
use crate::config::DemoAccounts;
use crate::db::{self, Account};
use crate::errors::Problem;
use crate::pages;

const WRONG: &str = "The email or the password is wrong.";
/// A 401 names a way to authenticate (RFC 9110, section 15.5.2): the form in its body.
const FORM: HeaderValue =
    HeaderValue::from_static("Cookie realm=\"Matinee\", form-action=\"/sign-in\"");

#[derive(Deserialize)]
pub(super) struct Return {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn form(
    State(accounts): State<Accounts>,
    Query(query): Query<Return>,
) -> Response {
    pages::sign_in("", &next::safe(&query.next), accounts.demo, None)
}

/// Signs in whoever knows the password. What is charged to the account is given back unless the
/// password was wrong.
pub(super) async fn submit(
    State(accounts): State<Accounts>,
    session: Session,
    headers: HeaderMap,
    Form(typed): Form<Credentials>,
) -> Result<Response, Response> {
    let email = Email::new(&typed.email);
    let next = next::safe(&typed.next);
    let attempt = accounts.attempts.charge(&email).await?;
    let known = match find(&accounts, &email, typed.password).await {
        Ok(None) => return Ok(again(&typed.email, &next, accounts.demo)),
        known => known,
    };
    accounts.attempts.give_back(&email, attempt).await;
    let signed_in = async {
        if let Some(account) = known? {
            session.log_in(account.id.to_string()).await?;
            session.name_device(device_name(&headers)).await?;
        }
        Ok::<_, Problem>(Redirect::to(&next).into_response())
    };
    signed_in.await.map_err(IntoResponse::into_response)
}

/// Returns the account with this email and this password.
async fn find(
    accounts: &Accounts,
    email: &Email,
    password: String,
) -> Result<Option<Account>, Problem> {
    let account = db::account_by_email(&accounts.pool, email).await?;
    // A demo account does not count if demo accounts are closed, even if it is in the database.
    let account = account.filter(|it| accounts.demo == DemoAccounts::Open || !it.is_demo);
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let is_right = accounts.passwords.verify(password, hash).await?;
    Ok(account.filter(|_| is_right))
}

fn again(email: &str, next: &str, demo: DemoAccounts) -> Response {
    let page = pages::sign_in(email, next, demo, Some(WRONG));
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, FORM)], page).into_response()
}

/// Ends the session, for every process.
pub(super) async fn sign_out(session: Session) -> Result<Redirect, Problem> {
    session.log_out().await?;
    Ok(Redirect::to("/sign-in"))
}
