//! The pages of administrators: films are listed and edited, accounts disabled, and callers helped to sign in.

mod accounts;
mod editor;
mod form;
mod html;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};

pub(crate) use self::accounts::AccountsDesk;
pub(crate) use self::editor::Editor;
pub(crate) use self::form::FilmForm;
use crate::headers;

pub(crate) fn routes(editor: Editor, desk: AccountsDesk) -> Router {
    let accounts = Router::new()
        .route("/admin/accounts", get(accounts::list))
        .route(
            "/admin/accounts/{id}",
            get(accounts::show).post(accounts::choose),
        )
        .route("/admin/accounts/{id}/sign-ins", post(accounts::help))
        .with_state(desk);
    Router::new()
        .route("/admin", get(html::films))
        .route("/admin/films/{id}", get(html::film).post(html::save))
        .with_state(editor)
        .merge(accounts)
        .layer(map_response(headers::personal))
}
