//! Disabling accounts, which ends their sessions.

use axum::Form;
use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::Sessions;
use serde::Deserialize;
use sqlx::SqlitePool;

use crate::accounts::Admin;
use crate::errors::Problem;
use crate::{db, pages};

/// The accounts, and the sessions of their users.
#[derive(Clone)]
pub(crate) struct AccountsDesk {
    pool: SqlitePool,
    sessions: Sessions,
}

/// Handlers of this feature, and their [`Admin`], read the same database.
impl FromRef<AccountsDesk> for SqlitePool {
    fn from_ref(desk: &AccountsDesk) -> Self {
        desk.pool.clone()
    }
}

impl AccountsDesk {
    pub(crate) fn new(pool: SqlitePool, sessions: Sessions) -> Self {
        Self { pool, sessions }
    }
}

#[derive(Deserialize)]
pub(super) struct Choice {
    disabled: String,
}

pub(super) async fn list(_: Admin, State(desk): State<AccountsDesk>) -> Result<Response, Problem> {
    Ok(pages::admin_accounts(&db::all_accounts(&desk.pool).await?))
}

/// The database has the last word; the store ends the sessions at their next request.
pub(super) async fn choose(
    _: Admin,
    State(desk): State<AccountsDesk>,
    Path(id): Path<i64>,
    Form(choice): Form<Choice>,
) -> Result<Response, Problem> {
    let is_disabled = choice.disabled == "yes";
    if !db::set_disabled(&desk.pool, id, is_disabled).await? {
        return Err(Problem::not_found("There is no such account to disable."));
    }
    let user = id.to_string();
    match is_disabled {
        true => desk.sessions.disable(&user).await?,
        false => desk.sessions.enable(&user).await?,
    }
    Ok(Redirect::to("/admin/accounts").into_response())
}
