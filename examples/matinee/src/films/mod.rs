//! Films: what is known of one, how a page about them is loaded, and the routes that show them.

mod address;
mod html;
mod json;
mod load;
mod loader;
mod model;
mod query;
mod timing;

use axum::Router;
use axum::routing::get;

pub(crate) use self::address::one_address;
pub(crate) use self::html::film_id;
pub(crate) use self::load::{LoadError, load_catalogue, load_film};
pub(crate) use self::loader::Loader;
pub(crate) use self::model::{CataloguePage, Film, FilmPage, GenreCount, Listing, Showing};
pub(crate) use self::query::{CatalogueQuery, PAGE_SIZE, RawQuery};
use crate::app::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(html::catalogue))
        .route("/films/{id}", get(html::film))
        .route("/api/films", get(json::catalogue))
        .route("/api/films/{id}", get(json::film))
}
