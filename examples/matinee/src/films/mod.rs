//! Films: their data, how a page about them is loaded, and the routes that show them.

mod address;
mod handlers;
mod load;
mod loader;
mod model;
mod query;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub(crate) use self::address::one_address;
pub(crate) use self::handlers::film_id;
pub(crate) use self::load::{LoadError, load_catalogue, load_film};
pub(crate) use self::loader::Loader;
pub(crate) use self::model::{CataloguePage, Film, FilmPage, GenreCount, Listing, Showing};
pub(crate) use self::query::{CatalogueQuery, PAGE_SIZE, RawQuery};
use crate::figures::Figures;

/// What the handlers of this feature need.
struct Films {
    loader: Loader,
    figures: Figures,
}

pub(crate) fn routes(loader: Loader, figures: Figures) -> Router {
    // Each layer around a route clones its state with every request, so the state is one pointer.
    let films = Arc::new(Films { loader, figures });
    Router::new()
        .route("/", get(handlers::catalogue))
        .route("/films/{id}", get(handlers::film))
        .route("/api/films", get(handlers::catalogue_json))
        .route("/api/films/{id}", get(handlers::film_json))
        .with_state(films)
}
