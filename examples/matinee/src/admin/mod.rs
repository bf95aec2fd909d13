//! The pages of administrators: films are listed and edited, accounts disabled, and callers helped to sign in.

mod accounts;
mod desk;
mod editor;
mod form;
mod html;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::{from_fn, map_response};
use axum::routing::{get, post};

pub(crate) use self::desk::AccountsDesk;
pub(crate) use self::editor::Editor;
pub(crate) use self::form::FilmForm;
use crate::headers;
use crate::to_the_end::to_the_end;

pub(crate) fn routes(editor: Editor, desk: AccountsDesk) -> Router {
    // The store and the database must not end up with different answers because the admin hung up.
    let choose = post(accounts::choose).layer(from_fn(to_the_end));
    let accounts = Router::new()
        .route("/admin/accounts", get(accounts::list))
        .route("/admin/accounts/{id}", get(accounts::show).merge(choose))
        .route("/admin/accounts/{id}/sign-ins", post(accounts::help))
        .with_state(desk);
    Router::new()
        .route("/admin", get(html::films))
        .route("/admin/films/{id}", get(html::film).post(html::save))
        .with_state(editor)
        .merge(accounts)
        .layer(map_response(headers::personal))
}
