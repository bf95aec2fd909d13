//! The same as the pages, for programs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

use super::Loader;
use super::html::film_id;
use super::query::RawQuery;
use super::timing::timing;
use crate::errors::Problem;

pub(crate) async fn catalogue(
    State(loader): State<Loader>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    let served = loader.catalogue(&raw.parse()?).await?;
    Ok((timing(&served), Json(&*served.page)).into_response())
}

pub(crate) async fn film(
    State(loader): State<Loader>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let served = loader.film(film_id(&id)?).await?;
    Ok((timing(&served), Json(&*served.page)).into_response())
}
