//! The pages for people.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

use super::query::RawQuery;
use super::timing::timing;
use super::{LoadError, Loader};
use crate::errors::Problem;
use crate::pages;

pub(crate) async fn catalogue(
    State(loader): State<Loader>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    let query = raw.parse()?;
    let served = loader.catalogue(&query).await?;
    Ok((
        timing(&served),
        pages::catalogue(&served.page, &raw.typed(), query.genre()),
    )
        .into_response())
}

pub(crate) async fn film(
    State(loader): State<Loader>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let served = loader.film(film_id(&id)?).await?;
    Ok((timing(&served), pages::film(&served.page)).into_response())
}

/// What is not a number is not a film.
pub(super) fn film_id(text: &str) -> Result<i64, LoadError> {
    text.parse().map_err(|_| LoadError::NoSuchFilm)
}
