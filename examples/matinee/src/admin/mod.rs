//! For those who run the house: films are listed and edited.

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
use crate::app::AppState;
use crate::headers;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin", get(html::films))
        .route("/admin/films/{id}", get(html::film).post(html::save))
        .layer(map_response(headers::personal))
}
