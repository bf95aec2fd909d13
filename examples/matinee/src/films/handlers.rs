//! The pages for people.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

use super::query::RawQuery;
use super::timing::timing;
use super::{LoadError, Loader};
use crate::caching::{Tag, for_everybody};
use crate::errors::Problem;
use crate::pages;

pub(crate) async fn catalogue(
    State(loader): State<Loader>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    let query = raw.parse()?;
    let served = loader.catalogue(&query).await?;
    let page = pages::catalogue(&served.page, &raw.typed(), query.genre());
    let timing = timing(&served);
    if served.page.is_listed_as(&query) {
        return Ok((timing, for_everybody(Tag::Catalogue), page).into_response());
    }
    Ok((timing, page).into_response())
}

pub(crate) async fn film(
    State(loader): State<Loader>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let served = loader.film(id).await?;
    let page = pages::film(&served.page);
    Ok((timing(&served), for_everybody(Tag::Film(id)), page).into_response())
}

/// What is not a number is not a film.
pub(crate) fn film_id(text: &str) -> Result<i64, LoadError> {
    text.parse().map_err(|_| LoadError::NoSuchFilm)
}
