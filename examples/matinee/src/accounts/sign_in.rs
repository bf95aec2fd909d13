use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::Session;
use serde::Deserialize;
use sqlx::SqlitePool;

use super::device_name::device_name;
use super::{Email, Passwords, next};
use crate::config::DemoAccounts;
use crate::errors::Problem;
use crate::{db, pages};

#[derive(Deserialize)]
pub(super) struct Wish {
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

pub(super) async fn form(State(demo): State<DemoAccounts>, Query(wish): Query<Wish>) -> Response {
    pages::sign_in("", &next::safe(&wish.next), demo, None)
}

pub(super) async fn submit(
    State(pool): State<SqlitePool>,
    State(passwords): State<Passwords>,
    State(demo): State<DemoAccounts>,
    session: Session,
    headers: HeaderMap,
    Form(typed): Form<Credentials>,
) -> Result<Response, Problem> {
    let email = Email::new(&typed.email);
    let next = next::safe(&typed.next);
    let account = db::account_by_email(&pool, &email).await?;
    // A demo account is none where demo accounts are closed, also if it is in the database.
    let account = account.filter(|account| demo == DemoAccounts::Open || !account.is_demo);
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let is_right = passwords.verify(typed.password, hash).await?;
    let Some(account) = account.filter(|_| is_right) else {
        let page = pages::sign_in(
            &typed.email,
            &next,
            demo,
            Some("This email and this password do not belong together."),
        );
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    session.log_in(account.id.to_string()).await?;
    session.name_device(device_name(&headers)).await?;
    Ok(Redirect::to(&next).into_response())
}
