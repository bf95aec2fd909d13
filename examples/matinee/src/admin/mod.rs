//! The pages of administrators: films are listed and edited.

mod editor;
mod form;
mod html;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::get;

pub(crate) use self::editor::Editor;
pub(crate) use self::form::FilmForm;
use crate::headers;

pub(crate) fn routes(editor: Editor) -> Router {
    Router::new()
        .route("/admin", get(html::films))
        .route("/admin/films/{id}", get(html::film).post(html::save))
        .layer(map_response(headers::personal))
        .with_state(editor)
}
