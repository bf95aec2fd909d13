//! The pages of films, and the same as JSON.

use std::iter;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};
use larder::cache::Source;

use super::loader::Served;
use super::query::RawQuery;
use super::{CatalogueQuery, Films, LoadError};
use crate::caching::{Tag, for_everybody};
use crate::clock::span_ms;
use crate::errors::Problem;
use crate::figures::FiguresNow;
use crate::pages;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

pub(crate) async fn catalogue(
    State(films): State<Arc<Films>>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    let query = raw.parse()?;
    let served = films.loader.catalogue(&query).await?;
    // They are on the first page, which is cached for some seconds.
    let figures = match query == CatalogueQuery::default() {
        true => Some(films.figures.now().await),
        false => None,
    };
    let page = pages::catalogue(&served.page, &raw.typed(), query.genre(), figures.as_ref());
    let timing = timing(&served);
    let is_listed = served.page.is_listed_as(&query);
    let titles = figures.iter().flat_map(FiguresNow::sources);
    let sources = iter::once(served.source).chain(titles);
    let kept = is_listed.then(|| for_everybody(Tag::Catalogue, sources));
    Ok((timing, kept.flatten(), page).into_response())
}

pub(crate) async fn film(
    State(films): State<Arc<Films>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let served = films.loader.film(id).await?;
    let page = pages::film(&served.page);
    let timing = timing(&served);
    let kept = for_everybody(Tag::Film(id), [served.source]);
    Ok((timing, kept, page).into_response())
}

pub(crate) async fn catalogue_json(
    State(films): State<Arc<Films>>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    let served = films.loader.catalogue(&raw.parse()?).await?;
    Ok((timing(&served), Json(&*served.page)).into_response())
}

pub(crate) async fn film_json(
    State(films): State<Arc<Films>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let served = films.loader.film(film_id(&id)?).await?;
    Ok((timing(&served), Json(&*served.page)).into_response())
}

/// Parses the id of a film. Anything but a number counts as an unknown film.
pub(crate) fn film_id(text: &str) -> Result<i64, LoadError> {
    text.parse().map_err(|_| LoadError::NoSuchFilm)
}

/// Returns the `Server-Timing` header: where the data of the page came from, and how long that
/// took. Browsers show it in their network panel.
fn timing<T>(served: &Served<T>) -> [(HeaderName, String); 1] {
    let ms = span_ms(served.took);
    let value = match served.source {
        Source::Near | Source::Far | Source::Stale => {
            format!("cache;desc=\"hit {}\";dur={ms}", served.source.as_str())
        }
        // Loaded for this request, or for another one that this one waited for.
        loaded => format!("cache;desc=\"miss {}\", db;dur={ms}", loaded.as_str()),
    };
    [(SERVER_TIMING, value)]
}
